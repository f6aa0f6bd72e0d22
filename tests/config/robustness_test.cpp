// Whatever bytes a file holds: an answer, never a crash or a hang, and an error for each refusal.
#include <gtest/gtest.h>

#include <random>

#include "config/describe.hpp"
#include "config/warnings.hpp"
#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

std::string content(const std::string& name) {
  std::ifstream stream(SEKISHO_SOURCE_DIR "/config/examples/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string mutate(std::string text) {
    for (std::size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
      const std::size_t at = below(text.size());
      const std::size_t length = std::min(text.size() - at, 1 + below(20));
      switch (below(5)) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text.insert(below(text.size()), text.substr(at, length));
          break;
        case 2:
          text[at] = static_cast<char>(below(256));
          break;
        case 3:
          text.insert(at, 1, "[]{}:,-#&*!|>'\"%@`~$\n \t"[below(23)]);
          break;
        default: {
          // A whole line, gone or doubled.
          const std::size_t start = text.rfind('\n', at) + 1;
          const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
          if (end <= start) break;
          const std::string line = text.substr(start, end - start);
          below(2) == 0 ? text.erase(start, end - start) : text.insert(end, line);
        }
      }
    }
    return text;
  }

 private:
  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

  std::mt19937 random_;
};

TEST(Robustness, MutatedFiles) {
  for (const char* name : {"full.yaml", "cloudfront-alb-ecs.yaml"}) {
    const std::string original = content(name);
    ASSERT_FALSE(original.empty());
    unsigned refused = 0;
    for (unsigned seed = 0; seed < 3000; ++seed) {
      const std::string text = Mutator(seed).mutate(original);
      Loaded loaded = load_yaml(text);
      EXPECT_EQ(loaded.config == nullptr, loaded.diagnostics.has_errors()) << name << " with seed " << seed;
      if (!loaded.draft) continue;
      add_warnings(*loaded.draft, loaded.diagnostics);
      describe_limits(*loaded.draft);
      refused += loaded.config ? 0 : 1;
    }
    EXPECT_GT(refused, 500U) << "the mutations hardly touch anything";
  }
}

TEST(Robustness, EveryPrefix) {
  const std::string original = content("full.yaml");
  for (std::size_t length = 0; length < original.size(); ++length) {
    const Loaded loaded = load_yaml(std::string_view(original).substr(0, length));
    EXPECT_EQ(loaded.config == nullptr, loaded.diagnostics.has_errors()) << length;
  }
}

}  // namespace
}  // namespace sekisho::config
