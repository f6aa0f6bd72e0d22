// routes: what each says of its own, over what the top level says.
#include <fmt/format.h>

#include "config/sections.hpp"

namespace sekisho::config {

void read_routes(Context& context, const Tree& tree, Config& config) {
  if (tree.kind != Tree::Kind::sequence) {
    context.error(tree.mark, fmt::format("routes must be a list, not {}", kind_name(tree)));
    return;
  }
  for (const Tree& item : tree.items) {
    Route route;
    route.mark = item.mark;
    if (config.upstream) route.upstream = *config.upstream;
    route.client = config.client;
    const bool last = &item == &tree.items.back();
    MapReader reader(context, item, "a route");
    if (const Tree* match = reader.find("match")) route.match = read_match(context, *match);
    if (const Tree* upstream = reader.find("upstream"))
      route.own_servers = read_route_upstream(context, *upstream, last && !config.upstream, route.upstream);
    if (const Tree* client = reader.find("client")) read_route_client(context, *client, route.client);
    reader.finish();
    if (!route.own_servers && !config.upstream) {
      context.error(item.mark,
                    "a route needs an upstream with servers where there is no upstream at the top");
    }
    config.routes.push_back(std::move(route));
  }
}

}  // namespace sekisho::config
