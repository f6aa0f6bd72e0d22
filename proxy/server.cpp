#include "proxy/server.hpp"
