#include "config/diagnostics.hpp"
