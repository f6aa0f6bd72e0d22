#include <array>
#include <cstdint>

#include "proxy/head_writer.hpp"

namespace sekisho::proxy {

namespace {

struct Phrase {
  unsigned status;
  std::string_view text;
};

// IANA's registry of status codes, in order.
constexpr Phrase phrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a Teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

// For each status from 100 on its place among them, counted from 1.
constexpr std::array<std::uint8_t, 500> make_places() {
  std::array<std::uint8_t, 500> places{};
  for (std::size_t i = 0; i < std::size(phrases); ++i)
    places[phrases[i].status - 100] = static_cast<std::uint8_t>(i + 1);
  return places;
}

constexpr std::array<std::uint8_t, 500> places = make_places();

}  // namespace

std::string_view reason_phrase(unsigned status) {
  const std::size_t place = status >= 100 && status < 600 ? places[status - 100] : 0;
  if (place != 0) return phrases[place - 1].text;
  return status < 400 ? "Status" : status < 500 ? "Request Refused" : "Server Error";
}

}  // namespace sekisho::proxy
