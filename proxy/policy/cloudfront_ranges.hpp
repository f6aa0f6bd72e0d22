// AWS's ranges of CloudFront as of the build; the table is made from data/cloudfront_ranges.json by CMake.
#pragma once

#include <span>
#include <string_view>

namespace sekisho::policy {

std::span<const std::string_view> cloudfront_prefixes();
// "2026-08-22-15-17-05", as AWS writes it.
std::string_view cloudfront_create_date();

}  // namespace sekisho::policy
