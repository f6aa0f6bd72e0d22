#include <nlohmann/json.hpp>

#include "bench/load/result.hpp"

namespace sekisho::load {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds(std::int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e6;
}

// Null where nothing was answered: that is no latency, and not one of 0.
Json latency_of(const Histogram& latency) {
  const auto value = [&latency](double milliseconds) {
    return latency.count() == 0 ? Json(nullptr) : Json(milliseconds);
  };
  const auto quantile = [&](double share) { return value(milliseconds(latency.quantile(share))); };
  return {{"min", value(milliseconds(latency.min()))},
          {"mean", value(latency.mean() / 1e6)},
          {"p50", quantile(0.5)},
          {"p75", quantile(0.75)},
          {"p90", quantile(0.9)},
          {"p99", quantile(0.99)},
          {"p99.9", quantile(0.999)},
          {"p99.99", quantile(0.9999)},
          {"max", value(milliseconds(latency.max()))}};
}

Json class_json(const ClassResult& result) {
  const Tally& tally = result.tally;
  const auto errors = [&tally](Failure failure) { return tally.errors[static_cast<std::size_t>(failure)]; };
  Json statuses = Json::object();
  for (std::size_t status = 0; status < tally.statuses.size(); ++status) {
    if (tally.statuses[status] > 0) statuses[std::to_string(status)] = tally.statuses[status];
  }
  return {{"name", result.clients.name},
          {"requests", tally.requests},
          {"requests_per_s", requests_per_second(result)},
          {"statuses", statuses},
          {"errors",
           {{"connect", errors(Failure::connect)},
            {"reset", errors(Failure::reset)},
            {"timeout", errors(Failure::timeout)},
            {"malformed", errors(Failure::malformed)}}},
          {"bytes_in", tally.bytes_in},
          {"bytes_out", tally.bytes_out},
          {"connections", tally.connections},
          {"unsent", tally.unsent},
          {"all_busy_share", result.clients.rate > 0 ? Json(all_busy_share(result)) : Json(nullptr)},
          {"unfinished", tally.unfinished},
          {"latency_ms", latency_of(tally.latency)}};
}

}  // namespace

std::string json_of(const Result& result) {
  const auto reasons = result.bottlenecks();
  Json classes = Json::array();
  for (const ClassResult& one : result.classes) classes.push_back(class_json(one));
  const Json json = {{"version", SEKISHO_VERSION},
                     {"target", result.target},
                     {"duration_s", result.seconds},
                     {"threads", result.threads},
                     {"interrupted", result.interrupted},
                     {"load",
                      {{"cpu_s", static_cast<double>(result.cpu()) / 1e9},
                       {"cpu_us_per_request", result.cpu_microseconds_per_request()},
                       {"busiest_thread", result.busiest_thread},
                       {"waited_share", result.waited_share ? Json(*result.waited_share) : Json(nullptr)},
                       {"bottleneck", !reasons.empty()},
                       {"bottleneck_reasons", reasons},
                       {"behind_ms_p99", milliseconds(result.behind().quantile(0.99))}}},
                     {"hints", result.hints()},
                     {"classes", classes}};
  // A path or a name may hold any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sekisho::load
