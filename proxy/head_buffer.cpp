#include "proxy/head_buffer.hpp"
