// Every YAML block of README.md and docs/*.md is a configuration that loads.
//
// A block that is only a part of a file says so in an HTML comment right above it:
//   <!-- fragment: limit -->   entries of `limits`
//   <!-- fragment: file -->    top-level keys beside an upstream
//   <!-- fragment: later -->   as `file`, and its only problems are "not supported yet"
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "tests/config/loading.hpp"

namespace sekisho::config {
namespace {

struct Block {
  std::string place;
  std::string fragment;  // empty: a whole file
  std::string text;
};

std::vector<Block> blocks_of(const std::filesystem::path& path) {
  static const std::regex comment("<!-- fragment: ([a-z]+) -->");
  std::vector<Block> blocks;
  std::ifstream stream(path);
  std::string line, fragment;
  bool inside = false;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (inside) {
      inside = line != "```";
      if (inside) blocks.back().text += line + "\n";
    } else if (std::smatch match; std::regex_match(line, match, comment)) {
      fragment = match[1];
    } else if (line == "```yaml") {
      blocks.push_back({path.filename().string() + ":" + std::to_string(number), fragment, ""});
      inside = true;
      fragment.clear();
    }
  }
  EXPECT_FALSE(inside) << path << " ends within a block";
  return blocks;
}

std::vector<Block> all_blocks() {
  const std::filesystem::path root = SEKISHO_SOURCE_DIR;
  std::vector<std::filesystem::path> pages{root / "README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  std::vector<Block> blocks;
  for (const auto& page : pages) {
    for (Block& block : blocks_of(page)) {
      if (block.fragment != "scenario") blocks.push_back(std::move(block));  // sekisho-load's
    }
  }
  return blocks;
}

std::string wrapped(const Block& block) {
  const std::string upstream = "upstream: 127.0.0.1:3000\n";
  if (block.fragment == "limit") return upstream + "limits:\n" + block.text;
  if (block.fragment == "file" || block.fragment == "later") {
    const bool has_upstream =
        block.text.starts_with("upstream:") || block.text.find("\nupstream:") != std::string::npos;
    return has_upstream ? block.text : upstream + block.text;
  }
  EXPECT_EQ(block.fragment, "") << block.place << ": unknown fragment";
  return block.text;
}

TEST(Docs, EveryBlockLoads) {
  const auto blocks = all_blocks();
  EXPECT_GT(blocks.size(), 10U);
  for (const Block& block : blocks) {
    const Loaded loaded = load_yaml(wrapped(block));
    for (const std::string& problem : problems(loaded)) {
      const bool expected = block.fragment == "later" && problem.ends_with("not supported yet");
      EXPECT_TRUE(expected) << block.place << ": " << problem;
    }
    if (block.fragment == "later") {
      EXPECT_FALSE(loaded.config) << block.place << " is supported by now";
    }
  }
}

}  // namespace
}  // namespace sekisho::config
