#include "main/admin_client.hpp"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include "config/admin_section.hpp"
#include "proxy/endpoint_address.hpp"

namespace sekisho {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Error = boost::system::error_code;

// One that listens on every address is reached by loopback.
config::Endpoint reachable(config::Endpoint endpoint) {
  if (endpoint.kind == config::Endpoint::Kind::ip && endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
  if (endpoint.kind == config::Endpoint::Kind::ip && endpoint.host == "::") endpoint.host = "::1";
  return endpoint;
}

}  // namespace

config::Admin admin_of(const std::string& source) {
  const config::AdminSection section = config::read_admin_section(source);
  if (section.diagnostics.has_errors()) {
    std::string problems = "cannot tell the admin address:";
    for (const config::Diagnostic& problem : section.diagnostics.sorted()) {
      problems += "\n" + section.diagnostics.format(problem);
    }
    throw std::runtime_error(problems);
  }
  if (!section.admin.listen) throw std::runtime_error(source + " says `admin: off`");
  if (!section.note.empty())
    fmt::print(stderr, "sekisho: {}; asking {} nonetheless\n", section.note, section.admin.listen->text);
  return section.admin;
}

AdminAnswer ask_admin(const config::Admin& admin, std::string_view method, std::string_view target,
                      std::chrono::seconds patience) {
  asio::io_context io;
  beast::basic_stream<asio::generic::stream_protocol> stream(io);
  beast::flat_buffer buffer;
  http::request<http::empty_body> request;
  request.method_string(beast::string_view(method.data(), method.size()));
  request.target(beast::string_view(target.data(), target.size()));
  request.set(http::field::host, "localhost");
  request.set(http::field::connection, "close");
  request.set("X-Sekisho", "1");
  if (!admin.token.empty()) request.set(http::field::authorization, "Bearer " + admin.token);
  if (method != "GET") request.set(http::field::content_length, "0");
  http::response_parser<http::string_body> parser;
  parser.body_limit(64 * 1024 * 1024);

  Error problem = asio::error::timed_out;
  stream.expires_after(patience);
  stream.async_connect(proxy::socket_endpoint(reachable(*admin.listen)), [&](Error error) {
    if ((problem = error)) return;
    http::async_write(stream, request, [&](Error write_error, std::size_t) {
      if ((problem = write_error)) return;
      http::async_read(stream, buffer, parser, [&](Error read_error, std::size_t) { problem = read_error; });
    });
  });
  io.run();
  if (problem) {
    const std::string reason = problem == beast::error::timeout ? "no answer in time" : problem.message();
    throw std::runtime_error("the admin port " + admin.listen->text + " does not answer: " + reason +
                             " (is sekisho running, with this configuration?)");
  }
  return {parser.get().result_int(), std::move(parser.get().body())};
}

}  // namespace sekisho
