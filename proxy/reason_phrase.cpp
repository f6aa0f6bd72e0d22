#include <array>
#include <cstdint>

#include "proxy/common_fields.hpp"
#include "proxy/head_writer.hpp"

namespace sekisho::proxy {

namespace {

// The status lines of IANA's registry of status codes, in order.
constexpr std::string_view lines[] = {
    "HTTP/1.1 100 Continue\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 103 Early Hints\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 201 Created\r\n",
    "HTTP/1.1 202 Accepted\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 206 Partial Content\r\n",
    "HTTP/1.1 301 Moved Permanently\r\n",
    "HTTP/1.1 302 Found\r\n",
    "HTTP/1.1 303 See Other\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.1 307 Temporary Redirect\r\n",
    "HTTP/1.1 308 Permanent Redirect\r\n",
    "HTTP/1.1 400 Bad Request\r\n",
    "HTTP/1.1 401 Unauthorized\r\n",
    "HTTP/1.1 402 Payment Required\r\n",
    "HTTP/1.1 403 Forbidden\r\n",
    "HTTP/1.1 404 Not Found\r\n",
    "HTTP/1.1 405 Method Not Allowed\r\n",
    "HTTP/1.1 406 Not Acceptable\r\n",
    "HTTP/1.1 407 Proxy Authentication Required\r\n",
    "HTTP/1.1 408 Request Timeout\r\n",
    "HTTP/1.1 409 Conflict\r\n",
    "HTTP/1.1 410 Gone\r\n",
    "HTTP/1.1 411 Length Required\r\n",
    "HTTP/1.1 412 Precondition Failed\r\n",
    "HTTP/1.1 413 Content Too Large\r\n",
    "HTTP/1.1 414 URI Too Long\r\n",
    "HTTP/1.1 415 Unsupported Media Type\r\n",
    "HTTP/1.1 416 Range Not Satisfiable\r\n",
    "HTTP/1.1 417 Expectation Failed\r\n",
    "HTTP/1.1 418 I'm a Teapot\r\n",
    "HTTP/1.1 421 Misdirected Request\r\n",
    "HTTP/1.1 422 Unprocessable Content\r\n",
    "HTTP/1.1 423 Locked\r\n",
    "HTTP/1.1 424 Failed Dependency\r\n",
    "HTTP/1.1 425 Too Early\r\n",
    "HTTP/1.1 426 Upgrade Required\r\n",
    "HTTP/1.1 428 Precondition Required\r\n",
    "HTTP/1.1 429 Too Many Requests\r\n",
    "HTTP/1.1 431 Request Header Fields Too Large\r\n",
    "HTTP/1.1 451 Unavailable For Legal Reasons\r\n",
    "HTTP/1.1 500 Internal Server Error\r\n",
    "HTTP/1.1 501 Not Implemented\r\n",
    "HTTP/1.1 502 Bad Gateway\r\n",
    "HTTP/1.1 503 Service Unavailable\r\n",
    "HTTP/1.1 504 Gateway Timeout\r\n",
    "HTTP/1.1 505 HTTP Version Not Supported\r\n",
    "HTTP/1.1 506 Variant Also Negotiates\r\n",
    "HTTP/1.1 507 Insufficient Storage\r\n",
    "HTTP/1.1 508 Loop Detected\r\n",
    "HTTP/1.1 511 Network Authentication Required\r\n",
};

constexpr std::size_t status_at = std::string_view("HTTP/1.1 ").size();
constexpr std::size_t reason_at = status_at + 4;

// For each status from 100 on its place among them, counted from 1.
constexpr std::array<std::uint8_t, 500> make_places() {
  std::array<std::uint8_t, 500> places{};
  for (std::size_t i = 0; i < std::size(lines); ++i) {
    std::size_t status = 0;
    for (const char digit : lines[i].substr(status_at, 3))
      status = status * 10 + static_cast<std::size_t>(digit - '0');
    places[status - 100] = static_cast<std::uint8_t>(i + 1);
  }
  return places;
}

constexpr std::array<std::uint8_t, 500> places = make_places();

// Empty for a status that has no name.
std::string_view line_of(unsigned status) {
  const std::size_t place = status >= 100 && status < 600 ? places[status - 100] : 0;
  return place != 0 ? lines[place - 1] : std::string_view();
}

}  // namespace

std::string_view reason_phrase(unsigned status) {
  const std::string_view line = line_of(status);
  if (!line.empty()) return line.substr(reason_at, line.size() - reason_at - 2);
  return status < 400 ? "Status" : status < 500 ? "Request Refused" : "Server Error";
}

void append_status_line(HeadBuffer& out, unsigned status) {
  const std::string_view line = line_of(status);
  if (line.empty()) return append_status_line(out, status, reason_phrase(status));
  out.append(line);
}

}  // namespace sekisho::proxy
