#include "proxy/head_memory.hpp"

#include <cstring>

namespace sekisho::proxy {
namespace {

// A view into one text as a view of the same place in another.
std::string_view moved(std::string_view view, std::string_view from, std::string_view to) {
  if (view.data() == nullptr) return {};
  return to.substr(static_cast<std::size_t>(view.data() - from.data()), view.size());
}

// Keeps the memory of the fields of `to`.
void copy_head(const RequestHead& from, std::string_view from_text, RequestHead& to,
               std::string_view to_text) {
  to.method = moved(from.method, from_text, to_text);
  to.target = moved(from.target, from_text, to_text);
  to.version = from.version;
  to.fields.resize(from.fields.size());
  for (std::size_t i = 0; i < from.fields.size(); ++i) {
    const Field& field = from.fields[i];
    to.fields[i] = {moved(field.name, from_text, to_text), moved(field.value, from_text, to_text), field.id};
  }
  to.framing = from.framing;
  to.content_length = from.content_length;
  to.keep_alive = from.keep_alive;
  to.last = from.last;
  to.expect_continue = from.expect_continue;
  to.upgrade = from.upgrade;
  to.serial = from.serial;
}

}  // namespace

// By the first bytes of the target: what is asked for again and again does not push the rest out.
std::size_t HeadMemory::place_of(std::string_view input) {
  std::uint64_t words[2];
  std::memcpy(words, input.data() + 4, sizeof words);
  return ((words[0] ^ (words[1] >> 3)) * 0x9e3779b97f4a7c15U >> 32) % places;
}

std::size_t HeadMemory::recall(std::string_view input, RequestHead& head) const {
  if (input.size() < shortest) return 0;
  const Known& known = known_[place_of(input)];
  if (known.head.serial == 0 || !input.starts_with(known.text())) return 0;
  if (known.size > limits_.max_bytes || known.head.fields.size() > limits_.max_fields) return 0;
  copy_head(known.head, known.text(), head, input);
  return known.size;
}

void HeadMemory::note(std::string_view bytes, RequestHead& head) {
  head.serial = 0;
  if (bytes.size() < shortest || bytes.size() > longest) return;
  Known& known = known_[place_of(bytes)];
  if (bytes == known.text()) {
    head.serial = ++serial_;
    copy_head(head, bytes, known.head, known.text());
    return;
  }
  known.size = bytes.copy(known.bytes.data(), bytes.size());
  known.head.serial = 0;
}

}  // namespace sekisho::proxy
