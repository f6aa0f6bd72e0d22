// An imitation of nginx's limit_req: a red-black tree in the order of hashes and a queue of the least
// recently used, both under one mutex.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstddef>
#include <deque>
#include <mutex>

#include "bench/limiter/terms.hpp"

namespace sekisho::bench {

class LockedTree {
 public:
  static constexpr const char* name = "locked_tree";
  static constexpr bool judges = true;

  LockedTree(const ratelimit::Quota& quota, std::size_t, ratelimit::Instant start) : terms_(quota, start) {}

  // A call, as to a library: not part of the loop that measures it.
  [[gnu::noinline]] Answer charge(ratelimit::Key key, ratelimit::Instant now) {
    const std::uint64_t units = terms_.units(now);
    const std::lock_guard lock(mutex_);
    Node& node = find_or_add(key, units);
    // Every look-up brings the node to the front, a refused one too.
    queue_.splice(queue_.begin(), queue_, queue_.iterator_to(node));
    return charge_value(node.value, units, terms_);
  }

 private:
  // nginx's node keeps the client's bytes behind it; here the key is what is left of them.
  struct Node : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>>,
                boost::intrusive::list_base_hook<> {
    Node(ratelimit::Key new_key, std::uint64_t new_value) : key(new_key), value(new_value) {}

    ratelimit::Key key;
    std::uint64_t value;
  };
  struct Order {
    bool operator()(const ratelimit::Key& left, const ratelimit::Key& right) const {
      return left.high != right.high ? left.high < right.high : left.low < right.low;
    }
  };
  struct KeyOf {
    using type = ratelimit::Key;
    const type& operator()(const Node& node) const { return node.key; }
  };
  using Tree =
      boost::intrusive::set<Node, boost::intrusive::key_of_value<KeyOf>, boost::intrusive::compare<Order>>;

  Node& find_or_add(ratelimit::Key key, std::uint64_t units) {
    typename Tree::insert_commit_data place;
    const auto [found, absent] = tree_.insert_check(key, place);
    if (!absent) return *found;
    Node& node = nodes_.emplace_back(key, units);
    tree_.insert_commit(node, place);
    queue_.push_front(node);
    return node;
  }

  const Terms terms_;
  std::mutex mutex_;
  std::deque<Node> nodes_;  // as nginx's slab: nodes beside each other; outlives the tree and the queue
  Tree tree_;
  boost::intrusive::list<Node> queue_;
};

}  // namespace sekisho::bench
