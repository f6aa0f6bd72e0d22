// Reads HTTP/1.x messages as a peer of the proxy does: plainly, and independent of the proxy's own parsers.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sekisho::test {

struct ReadMessage {
  std::string head;  // start line and fields, with the empty line
  std::string body;  // decoded, as far as it came
  bool complete = false;
  bool until_close = false;  // a FIN is what makes it complete

  bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
  unsigned status() const { return static_cast<unsigned>(std::stoul(head.substr(9, 3))); }
  std::string target() const {
    const std::size_t from = head.find(' ') + 1;
    return head.substr(from, head.find(' ', from) - from);
  }
};

// Fed with what comes, in whatever pieces.
class MessageReader {
 public:
  enum class Side { requests, responses };

  explicit MessageReader(Side side) : side_(side) {}

  void feed(std::string_view bytes) {
    unread_.append(bytes);
    while (step()) {
    }
  }
  // The peer's FIN.
  void end() {
    if (!messages.empty() && messages.back().until_close) messages.back().complete = true;
  }
  std::size_t complete() const {
    return static_cast<std::size_t>(std::ranges::count(messages, true, &ReadMessage::complete));
  }
  // After an upgrade all further bytes go to `tunnelled`.
  void switch_protocols() {
    switched_ = true;
    feed({});
  }

  std::vector<ReadMessage> messages;  // the last may be incomplete; interim responses are not among them
  std::size_t continues = 0;          // 100s that came
  std::string tunnelled;
  bool malformed = false;

 private:
  bool step() {
    if (switched_) {
      tunnelled += std::exchange(unread_, {});
      return false;
    }
    if (malformed) return false;
    if (messages.empty() || messages.back().complete) return take_head();
    return chunked_ ? take_chunks() : take_body();
  }

  bool take_head() {
    const std::size_t end = unread_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    ReadMessage message;
    message.head = unread_.substr(0, end + 4);
    unread_.erase(0, end + 4);
    const bool response = side_ == Side::responses;
    if (response && !message.head.starts_with("HTTP/1.1 ")) {
      malformed = true;
      return false;
    }
    if (response && message.status() == 100) {
      ++continues;
      return true;
    }
    chunked_ = message.has("\r\nTransfer-Encoding: chunked\r\n");
    last_chunk_ = false;
    remaining_ = 0;
    const std::size_t length = message.head.find("\r\nContent-Length: ");
    if (length != std::string::npos) {
      remaining_ = std::stoul(message.head.substr(length + 18));
    } else if (response && !chunked_ && message.status() != 101) {
      message.until_close = true;
    }
    message.complete = !chunked_ && !message.until_close && remaining_ == 0;
    messages.push_back(std::move(message));
    if (response && messages.back().status() == 101) switched_ = true;
    return true;
  }

  bool take_body() {
    ReadMessage& message = messages.back();
    const std::size_t n = message.until_close ? unread_.size() : std::min(remaining_, unread_.size());
    message.body.append(unread_, 0, n);
    unread_.erase(0, n);
    if (message.until_close) return false;
    remaining_ -= n;
    message.complete = remaining_ == 0;
    return n > 0;
  }

  // A chunk's data is taken as it comes; its size line and the line end behind it only whole.
  bool take_chunks() {
    ReadMessage& message = messages.back();
    if (remaining_ > 0) {
      const std::size_t n = std::min(remaining_, unread_.size());
      message.body.append(unread_, 0, n);
      unread_.erase(0, n);
      remaining_ -= n;
      if (remaining_ == 0) behind_data_ = true;
      return n > 0;
    }
    const std::size_t end = unread_.find("\r\n");
    if (end == std::string::npos) return false;
    const std::string line = unread_.substr(0, end);
    unread_.erase(0, end + 2);
    if (std::exchange(behind_data_, false)) {
      malformed = !line.empty();
    } else if (last_chunk_) {
      message.complete = line.empty();  // else a trailer
    } else if (line.empty() || !std::ranges::all_of(line, [](unsigned char c) { return std::isxdigit(c); })) {
      malformed = true;
    } else {
      remaining_ = std::stoul(line, nullptr, 16);
      last_chunk_ = remaining_ == 0;
    }
    return !malformed;
  }

  const Side side_;
  std::string unread_;
  bool chunked_ = false, last_chunk_ = false, behind_data_ = false, switched_ = false;
  std::size_t remaining_ = 0;
};

}  // namespace sekisho::test
