// Finds which of many short texts occur in a longer one, in time that does not grow with their number (Aho
// and Corasick, 1975).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sekisho::policy {

// Built once, then immutable: safe to share between threads.
class TriggerAutomaton {
 public:
  // `text` must not be empty and must live until build(). `id` is handed to the visitor for each place where
  // `text` ends.
  void add(std::string_view text, std::uint32_t id);
  // After the last add(), before the first scan().
  void build();

  // Calls visit(id) until it returns true; says whether one did.
  template <class Visit>
  bool scan(std::string_view text, Visit visit) const {
    if (nodes_.empty()) return false;
    std::uint32_t row = 0;
    for (const char c : text) {
      const std::uint32_t next = next_[row + class_of_[static_cast<unsigned char>(c)]];
      row = next & ~heard_bit;
      if ((next & heard_bit) == 0) continue;
      for (std::uint32_t found = heard_[row / classes_]; found != none; found = nodes_[found].heard_shorter) {
        for (const std::uint32_t id : nodes_[found].ids)
          if (visit(id)) return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::uint32_t heard_bit = std::uint32_t{1} << 31;
  struct Text {
    std::string_view text;
    std::uint32_t id;
  };
  struct Node {
    std::vector<std::uint32_t> ids;      // of the texts that end here
    std::uint32_t heard_shorter = none;  // the next shorter text that ends here too
  };

  // The node at the end of `text`, made with all on the way to it where they are not there yet.
  std::uint32_t grow(std::string_view text);

  std::vector<Text> texts_;  // until build()
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> next_;           // by node and class of byte
  std::vector<std::uint32_t> heard_;          // by node: the longest text that ends here
  std::array<std::uint8_t, 256> class_of_{};  // 0: a byte that no text has
  std::uint32_t classes_ = 1;
};

}  // namespace sekisho::policy
