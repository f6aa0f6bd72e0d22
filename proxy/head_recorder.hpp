// Beast's parser, made to record views of a head that the scanner has found whole.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "proxy/field_id.hpp"
#include "proxy/message_head.hpp"

namespace sekisho::proxy {

// Used once a head, on the stack: basic_parser cannot be reset, and making one is cheap and allocates
// nothing. What it lets through that is ambiguous (Boost 1.81: folded lines, equal repeated Content-Length,
// `gzip, chunked`) is refused by HeadScanner and message_framing; it stands as the second opinion on the
// grammar.
template <bool is_request>
class HeadRecorder final : public boost::beast::http::basic_parser<is_request> {
 public:
  explicit HeadRecorder(std::vector<Field>& fields) : fields_(fields) { fields_.clear(); }

  // Whether `input` is one head, all of it. Views then point into `input`.
  bool record(std::string_view input) {
    input_ = input;
    this->header_limit(static_cast<std::uint32_t>(input.size()));
    this->body_limit(boost::none);
    boost::beast::error_code error;
    const std::size_t used = this->put(boost::asio::const_buffer(input.data(), input.size()), error);
    return !error && !foreign_ && used == input.size() && this->is_header_done();
  }

  std::string_view method, target;  // of a request
  std::string_view reason;          // of a response
  unsigned version = 0;             // 10 or 11
  unsigned status = 0;              // of a response

 private:
  using error_code = boost::beast::error_code;
  using text = boost::beast::string_view;

  static std::string_view view(text t) { return {t.data(), t.size()}; }

  void on_request_impl(boost::beast::http::verb, text method_text, text target_text, int version_number,
                       error_code&) override {
    method = view(method_text);
    target = view(target_text);
    version = static_cast<unsigned>(version_number);
  }

  void on_response_impl(int code, text reason_text, int version_number, error_code&) override {
    status = static_cast<unsigned>(code);
    reason = view(reason_text);
    version = static_cast<unsigned>(version_number);
  }

  void on_field_impl(boost::beast::http::field, text name, text value, error_code&) override {
    // Beast unfolds a folded value into a buffer of its own, which dies before the view would.
    const std::less<const char*> before;
    if (before(value.data(), input_.data()) ||
        before(input_.data() + input_.size(), value.data() + value.size())) {
      foreign_ = true;
      return;
    }
    fields_.push_back({view(name), view(value), field_id(view(name))});
  }

  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(text body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}

  std::vector<Field>& fields_;
  std::string_view input_;
  bool foreign_ = false;
};

}  // namespace sekisho::proxy
