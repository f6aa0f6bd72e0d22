// The bytes of a class's requests, made once: sending one costs a copy and, where it says who the client is,
// fifteen digits written over the last one's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/plan.hpp"

namespace sekisho::load {

class RequestImages {
 public:
  // `host`: what Host says where the class does not.
  RequestImages(const ClientClass& clients, std::string_view host);

  struct Image {
    std::string head;
    std::size_t address = 0;  // where in it the client's address stands; 0: nowhere
  };

  std::size_t paths() const { return kept_.size(); }
  // The head of a request for a path; `last` of its connection, it asks to close it.
  const Image& head(std::size_t path, bool last) const { return last ? closing_[path] : kept_[path]; }
  // What follows every head: the body in the framing that the class says.
  std::string_view body() const { return body_; }
  // Of the longest head.
  std::size_t most_head_bytes() const { return most_; }

 private:
  std::vector<Image> kept_, closing_;
  std::string body_;
  std::size_t most_ = 0;
};

}  // namespace sekisho::load
