// What one pattern of a match says of another, judged by their text alone. So "no" says nothing: two ways to
// write the same thing are not recognised.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sekisho::config {

// Patterns that surely match whatever `pattern` does, the pattern itself among them.
std::vector<std::string> wider_paths(std::string_view pattern);
std::vector<std::string> wider_methods(std::string_view method);
std::vector<std::string> wider_hosts(std::string_view host);

// Whether the pattern stands for a bounded number of things.
bool names_one_path(std::string_view pattern);
bool names_one_host(std::string_view host);

// Whether surely nothing is matched by both.
bool disjoint_paths(std::string_view a, std::string_view b);
bool disjoint_methods(std::string_view a, std::string_view b);

}  // namespace sekisho::config
