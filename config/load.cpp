#include "config/load.hpp"

#include <cstdlib>

#include "config/sections.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

namespace sekisho::config {
namespace {

std::filesystem::path directory_of(const std::string& source) {
  if (source == "-" || source.starts_with("env:")) return ".";
  const std::filesystem::path parent = std::filesystem::path(source).parent_path();
  return parent.empty() ? "." : parent;
}

}  // namespace

Loaded load(const std::string& source) {
  std::string problem;
  const auto text = read_source(source, max_document_bytes, problem);
  if (text) return load_text(*text, source, directory_of(source));
  Loaded loaded;
  loaded.source_name = source;
  loaded.diagnostics.error({loaded.diagnostics.add_file(source), 0, 0}, problem);
  return loaded;
}

Loaded load_text(std::string_view yaml, std::string name, const std::filesystem::path& directory) {
  Loaded loaded;
  const std::uint16_t file = loaded.diagnostics.add_file(name);
  loaded.source_name = std::move(name);
  const auto tree = parse_tree(yaml, file, loaded.diagnostics);
  if (!tree) return loaded;
  auto config = std::make_shared<Config>();
  Context context{loaded.diagnostics, directory};
  read_config(context, *tree, *config);
  check_across(context, *config);
  loaded.draft = config;
  if (!loaded.diagnostics.has_errors()) loaded.config = config;
  return loaded;
}

std::string default_source() {
  const char* source = std::getenv("SEKISHO_CONFIG");
  return source != nullptr && *source != '\0' ? source : "/etc/sekisho/sekisho.yaml";
}

}  // namespace sekisho::config
