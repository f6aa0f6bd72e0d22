#include "proxy/policy/trigger_automaton.hpp"

#include <cassert>

namespace sekisho::policy {

void TriggerAutomaton::add(std::string_view text, std::uint32_t id) {
  assert(!text.empty());
  texts_.push_back({text, id});
}

void TriggerAutomaton::insert(std::string_view text, std::uint32_t id) {
  std::uint32_t node = 0;
  for (const char c : text) {
    std::uint32_t& next = next_[node * classes_ + class_of_[static_cast<unsigned char>(c)]];
    if (next == none) {
      next = static_cast<std::uint32_t>(nodes_.size());
      node = next;
      nodes_.emplace_back();
      next_.resize(next_.size() + classes_, none);
    } else {
      node = next;
    }
  }
  nodes_[node].ids.push_back(id);
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
  for (const Text& text : texts_) insert(text.text, text.id);

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
  texts_.clear();
}

}  // namespace sekisho::policy
