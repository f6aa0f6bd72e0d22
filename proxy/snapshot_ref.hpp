// A counted reference to a snapshot, without atomics: all holders live on the snapshot's worker.
#pragma once

#include <utility>

#include "proxy/snapshot.hpp"

namespace sekisho::proxy {

class SnapshotRef {
 public:
  SnapshotRef() = default;
  explicit SnapshotRef(std::unique_ptr<Snapshot> snapshot) : snapshot_(snapshot.release()) { retain(); }
  SnapshotRef(const SnapshotRef& other) : snapshot_(other.snapshot_) { retain(); }
  SnapshotRef(SnapshotRef&& other) noexcept : snapshot_(std::exchange(other.snapshot_, nullptr)) {}
  SnapshotRef& operator=(SnapshotRef other) noexcept {
    std::swap(snapshot_, other.snapshot_);
    return *this;
  }
  ~SnapshotRef() {
    if (snapshot_ != nullptr && --snapshot_->references == 0) delete snapshot_;
  }

  Snapshot* operator->() const { return snapshot_; }
  Snapshot& operator*() const { return *snapshot_; }
  explicit operator bool() const { return snapshot_ != nullptr; }

 private:
  void retain() {
    if (snapshot_ != nullptr) ++snapshot_->references;
  }
  Snapshot* snapshot_ = nullptr;
};

}  // namespace sekisho::proxy
