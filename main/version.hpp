// Which build this is; what stands here is filled in as it is built (write_version.cmake).
#pragma once

namespace sekisho {

extern const char* const version;
extern const char* const revision;  // the commit that was checked out; "unknown" outside a git tree

}  // namespace sekisho
