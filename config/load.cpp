#include "config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "config/sections.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

namespace sekisho::config {
namespace {

Mark place_of(std::string_view text, std::size_t offset, std::uint16_t file) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {file, line, static_cast<std::uint32_t>(offset - start + 1)};
}

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
  if (yaml.size() > max_document_bytes) {
    loaded.diagnostics.error({file, 0, 0}, fmt::format("is larger than {} KiB", max_document_bytes / 1024));
    return loaded;
  }
  if (const std::size_t bad = find_invalid_text(yaml); bad != std::string_view::npos) {
    const std::string_view what = yaml[bad] == '\0' ? "a NUL byte" : "not UTF-8";
    loaded.diagnostics.error(place_of(yaml, bad, file),
                             fmt::format("this is {}; a configuration is UTF-8 text", what));
    return loaded;
  }
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
