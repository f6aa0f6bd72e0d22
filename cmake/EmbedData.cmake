# Compiles data files into the policy library. Run as a script: cmake -DKIND=… -DINPUT=… -DOUTPUT=… -P EmbedData.cmake

# Writes `lines` (a list) as the body of an array of string_view; lines hold neither quotes nor backslashes.
function(array_body lines out)
  list(TRANSFORM lines REPLACE "^(.+)$" "    \"\\1\",")
  list(JOIN lines "\n" text)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

if(KIND STREQUAL "catalogue")
  file(READ ${INPUT} text)
  string(REGEX REPLACE "(^|\n)#[^\n]*" "" text "${text}")
  string(REGEX REPLACE "\n+" "\n" text "${text}")
  string(STRIP "${text}" text)
  if(text MATCHES "[\"\\\\;]")
    message(FATAL_ERROR "${INPUT}: quotes, backslashes and semicolons have no place in a catalogue")
  endif()
  string(REPLACE "\n" "\",\n    \"" body "${text}")
  file(WRITE ${OUTPUT}
"#include \"proxy/policy/catalogue_data.hpp\"

namespace sekisho::policy {
namespace {

constexpr std::string_view lines[] = {
    \"${body}\",
};

}  // namespace

std::span<const std::string_view> catalogue_lines() { return lines; }

}  // namespace sekisho::policy
")
elseif(KIND STREQUAL "cloudfront")
  file(READ ${INPUT} text)
  string(REGEX MATCH "\"createDate\": *\"([0-9-]+)\"" date "${text}")
  set(date "${CMAKE_MATCH_1}")
  string(REGEX MATCHALL "\"ip(v6)?_prefix\": *\"[0-9a-f.:/]+\"" prefixes "${text}")
  list(TRANSFORM prefixes REPLACE "^.*\"([0-9a-f.:/]+)\"$" "\\1")
  list(REMOVE_DUPLICATES prefixes)
  list(SORT prefixes)
  if(NOT date OR NOT prefixes)
    message(FATAL_ERROR "${INPUT} is not in the form of AWS's ip-ranges.json")
  endif()
  array_body("${prefixes}" body)
  file(WRITE ${OUTPUT}
"#include \"proxy/policy/cloudfront_ranges.hpp\"

namespace sekisho::policy {
namespace {

constexpr std::string_view prefixes[] = {
${body}
};

}  // namespace

std::span<const std::string_view> cloudfront_prefixes() { return prefixes; }
std::string_view cloudfront_create_date() { return \"${date}\"; }

}  // namespace sekisho::policy
")
else()
  message(FATAL_ERROR "KIND must be catalogue or cloudfront")
endif()
