// The listeners in force, and how a reload changes them: whole or not at all.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/listener.hpp"
#include "proxy/listening_socket.hpp"

namespace sekisho::proxy {

class Acceptor;
struct WorkerGroup;

// Listeners that are bound, and not in force yet. Given up, it leaves everything as it was.
class ListenerChange {
 public:
  ListenerChange() = default;
  ListenerChange(ListenerChange&&) = default;
  ~ListenerChange();

  // The new sockets listen from here on. Throws ListenProblem.
  void listen();

 private:
  friend class ListenerSet;
  struct Entry {
    ListenerState state;
    std::shared_ptr<Acceptor> kept;
    std::optional<ListeningSocket> fresh;  // where there is none to keep
  };
  void end_sharing();

  std::vector<Entry> entries_;
  std::vector<std::shared_ptr<Acceptor>> sharing_;  // their addresses, until the new sockets listen
};

// Used by the control thread alone; what its acceptors do, they do on the first worker.
class ListenerSet {
 public:
  explicit ListenerSet(WorkerGroup& group) : group_(group) {}

  // Binds what is new in `wanted`: the socket of an address that is listened on already is kept, whatever
  // else changes of it; port 0 keeps its port. Throws ListenProblem.
  ListenerChange prepare(std::vector<ListenerState> wanted);
  // Puts the change in force on the first worker's next turn. What it leaves out accepts no more; its
  // connections go on, each to the end of its next response.
  void commit(ListenerChange change);

  std::vector<std::shared_ptr<Acceptor>> acceptors() const;
  std::vector<std::string> bound_addresses() const;

 private:
  struct Listening {
    std::shared_ptr<const ListenerState> state;
    std::shared_ptr<Acceptor> acceptor;
  };
  void wait_for_retired();

  WorkerGroup& group_;
  std::vector<Listening> listening_;
  std::vector<std::weak_ptr<Acceptor>> retired_;
};

}  // namespace sekisho::proxy
