#include "ratelimit/key.hpp"
