// A second opinion on the grammar of heads: Beast's parser, which the proxy does not use, recording views.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace sekisho::test {

// What it lets through that is ambiguous (Boost 1.81: folded lines, equal repeated Content-Length, `gzip,
// chunked`) the proxy refuses; what the proxy takes, it has to take likewise.
template <bool is_request>
class BeastHead final : public boost::beast::http::basic_parser<is_request> {
 public:
  // Whether `input` is one head, all of it. Views then point into `input`.
  bool record(std::string_view input) {
    input_ = input;
    this->header_limit(static_cast<std::uint32_t>(input.size()));
    this->body_limit(boost::none);
    if constexpr (!is_request) this->skip(true);
    boost::beast::error_code error;
    const std::size_t used = this->put(boost::asio::const_buffer(input.data(), input.size()), error);
    return !error && !foreign_ && used == input.size() && this->is_header_done();
  }

  std::string_view method, target;  // of a request
  std::string_view reason;          // of a response
  unsigned version = 0;             // 10 or 11
  unsigned status = 0;              // of a response
  std::vector<std::pair<std::string_view, std::string_view>> fields;

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
    fields.emplace_back(view(name), view(value));
  }

  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(text body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}

  std::string_view input_;
  bool foreign_ = false;
};

}  // namespace sekisho::test
