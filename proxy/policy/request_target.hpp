// A request-target taken apart (RFC 9112, section 3.2): scheme and authority where it is in absolute-form,
// path, query.
#pragma once

#include <string_view>

namespace sekisho::policy {

struct RequestTarget {
  bool absolute = false;       // SCHEME://AUTHORITY…
  bool http = false;           // the scheme is http or https
  std::string_view authority;  // absolute-form alone; as received
  std::string_view origin;  // path and query, byte for byte. Absolute-form may lack the path: it is empty or
                            // begins with "?"
  std::string_view path;    // of `origin`, without query and fragment
  std::string_view query;   // after the "?", without fragment
};

// Never fails: what is not absolute-form is its own origin-form, whatever it looks like. Views into `target`.
RequestTarget read_target(std::string_view target);

}  // namespace sekisho::policy
