#include "bench/load/request_images.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sekisho::load {
namespace {

constexpr std::size_t chunk_bytes = 16 * 1024;

std::string filler(std::uint64_t size) {
  constexpr std::string_view line = "Travellers show their permit at the barrier and pass.\n";
  std::string text;
  text.reserve(size + line.size());
  while (text.size() < size) text += line;
  text.resize(size);
  return text;
}

std::string framed_body(const ClientClass& clients) {
  std::string text = filler(clients.body);
  if (!clients.chunked) return text;
  std::string framed;
  for (std::size_t at = 0; at < text.size(); at += chunk_bytes) {
    const std::size_t size = std::min(chunk_bytes, text.size() - at);
    framed += fmt::format("{:x}\r\n", size);
    framed.append(text, at, size).append("\r\n");
  }
  return framed + "0\r\n\r\n";
}

bool has_field(const ClientClass& clients, std::string_view name) {
  return std::any_of(clients.headers.begin(), clients.headers.end(), [name](const std::string& header) {
    return header.size() > name.size() && header[name.size()] == ':' &&
           std::equal(name.begin(), name.end(), header.begin(),
                      [](char a, char b) { return a == b || (a ^ b) == ('a' ^ 'A'); });
  });
}

RequestImages::Image make_image(const ClientClass& clients, std::string_view host, const std::string& path,
                                bool last) {
  RequestImages::Image image;
  std::string& head = image.head;
  head = fmt::format("{} {} HTTP/1.1\r\n", clients.method, path);
  if (!has_field(clients, "host"))
    head += fmt::format("Host: {}\r\n", clients.host.empty() ? host : clients.host);
  for (const std::string& header : clients.headers) head += header + "\r\n";
  if (clients.clients) {
    head += "X-Forwarded-For: ";
    image.address = head.size();
    head.append(width_of(*clients.clients), ' ').append("\r\n");
  }
  if (clients.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (clients.body > 0 || clients.method == "POST" || clients.method == "PUT" ||
             clients.method == "PATCH") {
    head += fmt::format("Content-Length: {}\r\n", clients.body);
  }
  if (last && !has_field(clients, "connection")) head += "Connection: close\r\n";
  head += "\r\n";
  return image;
}

}  // namespace

RequestImages::RequestImages(const ClientClass& clients, std::string_view host)
    : body_(framed_body(clients)) {
  const std::vector<std::string> root{"/"};
  for (const std::string& path : clients.paths.empty() ? root : clients.paths) {
    kept_.push_back(make_image(clients, host, path, false));
    closing_.push_back(make_image(clients, host, path, true));
    most_ = std::max(most_, closing_.back().head.size());
  }
}

}  // namespace sekisho::load
