// Whether one match certainly holds wherever another does.
#pragma once

#include "config/config.hpp"

namespace sekisho::config {

// True only where every request that `narrow` matches is matched by `wide` too. Judged by the text of the
// clauses, so false says nothing: two ways to write the same thing are not recognised.
bool covers(const Match& wide, const Match& narrow);

}  // namespace sekisho::config
