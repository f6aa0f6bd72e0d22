#include "config/environment.hpp"

#include <gtest/gtest.h>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

TEST(Expansion, References) {
  const Environment set("SEKISHO_T_SET", "value");
  const Environment empty("SEKISHO_T_EMPTY", "");
  const Environment nested("SEKISHO_T_NESTED", "${SEKISHO_T_SET}");
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"plain", "plain"},
      {"${SEKISHO_T_SET}", "value"},
      {"a${SEKISHO_T_SET}b${SEKISHO_T_SET}", "avaluebvalue"},
      {"${SEKISHO_T_SET:-other}", "value"},
      {"${SEKISHO_T_UNSET:-other}", "other"},
      {"${SEKISHO_T_UNSET:-127.0.0.1:3000}", "127.0.0.1:3000"},
      {"${SEKISHO_T_UNSET:-}", ""},
      {"${SEKISHO_T_EMPTY:-other}", "other"},
      {"${SEKISHO_T_EMPTY}", ""},
      {"$${SEKISHO_T_SET}", "${SEKISHO_T_SET}"},
      {"${SEKISHO_T_NESTED}", "${SEKISHO_T_SET}"},
      {"$SEKISHO_T_SET costs $5", "$SEKISHO_T_SET costs $5"},
      {"~^/x$", "~^/x$"},
  };
  for (const auto& [text, expected] : cases) {
    std::string problem;
    EXPECT_EQ(expand_environment(text, problem), std::string(expected)) << text;
    EXPECT_EQ(problem, "") << text;
  }
}

TEST(Expansion, Problems) {
  for (const std::string_view text :
       {"${SEKISHO_T_UNSET}", "${", "${}", "${A", "${A B}", "${1A}", "${A-b}", "${:-x}"}) {
    std::string problem;
    EXPECT_FALSE(expand_environment(text, problem)) << text;
    EXPECT_NE(problem, "") << text;
  }
}

TEST(Expansion, ReachesEveryValueOfAFile) {
  const Environment upstream("SEKISHO_T_UP", "10.1.2.3:4000");
  const Environment number("SEKISHO_T_N", "7");
  const Loaded loaded = load_yaml(
      "upstream: {servers: [\"${SEKISHO_T_UP}\"], retries: \"${SEKISHO_T_N}\"}\nshadow: "
      "${SEKISHO_T_X:-true}\n");
  ASSERT_TRUE(loaded.config) << testing::PrintToString(problems(loaded));
  EXPECT_EQ(loaded.config->upstream->servers.at(0).text, "10.1.2.3:4000");
  EXPECT_EQ(loaded.config->upstream->retries, 7U);
  EXPECT_TRUE(loaded.config->shadow);
}

TEST(Expansion, AnUnsetVariableIsOneProblemAtItsPlace) {
  EXPECT_EQ(problems(load_yaml("upstream: \"${SEKISHO_T_UNSET}\"\n")),
            std::vector<std::string>{"1:11: the environment variable SEKISHO_T_UNSET is not set and "
                                     "${SEKISHO_T_UNSET} gives no default"});
}

}  // namespace
}  // namespace sekisho::config
