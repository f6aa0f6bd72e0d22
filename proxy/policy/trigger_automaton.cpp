#include "proxy/policy/trigger_automaton.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>

namespace sekisho::policy {

void TriggerAutomaton::add(std::string_view text, std::uint32_t id) {
  assert(!text.empty());
  texts_.push_back({text, id});
}

std::uint32_t TriggerAutomaton::grow(std::string_view text) {
  std::uint32_t node = 0;
  for (const char c : text) {
    const std::size_t at = node * classes_ + class_of_[static_cast<unsigned char>(c)];
    if (next_[at] == none) {
      next_[at] = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      next_.resize(next_.size() + classes_, none);
    }
    node = next_[at];
  }
  return node;
}

void TriggerAutomaton::build() {
  if (texts_.empty()) return;
  for (const Text& text : texts_) {
    for (const char c : text.text) {
      std::uint8_t& byte_class = class_of_[static_cast<unsigned char>(c)];
      // They fit into 8 bits: some bytes ("*", "?") occur in no text.
      if (byte_class == 0) byte_class = static_cast<std::uint8_t>(classes_++);
    }
  }
  nodes_.emplace_back();
  next_.assign(classes_, none);
  // Level by level, so that the rows near the root, where nearly every scan stays, lie close together.
  std::size_t longest = 0;
  for (const Text& text : texts_) longest = std::max(longest, text.text.size());
  for (std::size_t length = 1; length <= longest; ++length)
    for (const Text& text : texts_) grow(text.text.substr(0, length));
  for (const Text& text : texts_) nodes_[grow(text.text)].ids.push_back(text.id);

  // More would need patterns of a gigabyte.
  if (next_.size() >= heard_bit) std::abort();

  // Breadth first: a node's fallback, the longest shorter text it ends with, is complete before the node is.
  std::vector<std::uint32_t> fallback(nodes_.size(), 0);
  std::vector<std::uint32_t> order;
  heard_.assign(nodes_.size(), none);
  for (std::uint32_t c = 0; c < classes_; ++c) {
    std::uint32_t& child = next_[c];
    if (child == none) {
      child = 0;
    } else {
      order.push_back(child);
    }
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t node = order[i];
    nodes_[node].heard_shorter = heard_[fallback[node]];
    heard_[node] = nodes_[node].ids.empty() ? nodes_[node].heard_shorter : node;
    for (std::uint32_t c = 0; c < classes_; ++c) {
      std::uint32_t& child = next_[node * classes_ + c];
      const std::uint32_t other = next_[fallback[node] * classes_ + c];
      if (child == none) {
        child = other;
      } else {
        fallback[child] = other;
        order.push_back(child);
      }
    }
  }
  for (std::uint32_t& next : next_) next = next * classes_ | (heard_[next] != none ? heard_bit : 0);
  texts_.clear();
}

}  // namespace sekisho::policy
