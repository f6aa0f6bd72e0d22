#include "config/spelling.hpp"

#include <gtest/gtest.h>

namespace sekisho::config {
namespace {

constexpr std::string_view words[] = {"upstream", "idle_timeout", "max_body_bytes", "limits", "level",
                                      "warning",  "key"};

TEST(Spelling, Nearest) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"upstraem", "upstream"},
      {"Upstream", "upstream"},
      {"idle-timeout", "idle_timeout"},
      {"max_body_byte", "max_body_bytes"},
      {"limit", "limits"},
      {"warn", "warning"},
      {"ky", "key"},
      {"max_boddy", "max_body_bytes"},
      {"zzz", ""},
      {"", ""},
      {"xy", ""},
      {"completely_different", ""},
  };
  for (const auto& [word, expected] : cases) EXPECT_EQ(nearest(word, words), expected) << word;
}

TEST(Spelling, OfWhatIsCutShortTheShortest) {
  constexpr std::string_view groups[] = {"builtin:probes/php", "builtin:probes/iot", "builtin:probes"};
  EXPECT_EQ(nearest("builtin:prob", groups), "builtin:probes");
  EXPECT_EQ(nearest("builtin:probse", groups), "builtin:probes");
  EXPECT_EQ(nearest("builtin:probes/ph", groups), "builtin:probes/php");
}

TEST(Spelling, ALongWordCostsNothing) {
  EXPECT_EQ(nearest(std::string(1'000'000, 'a'), words), "");
}

}  // namespace
}  // namespace sekisho::config
