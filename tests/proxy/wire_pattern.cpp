#include "tests/proxy/wire_pattern.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "proxy/head_writer.hpp"

namespace sekisho::test {

namespace {

const std::string any(1, any_of_line);

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// {forwarding [HOST [VERSION]]}: the fields that Sekisho adds to every request. HOST `-`: none was sent.
std::string forwarding(const std::vector<std::string>& words) {
  const std::string host = words.size() > 1 ? words[1] : "a";
  const std::string version = words.size() > 2 ? words[2] : "1.1";
  std::string fields = "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n";
  if (host != "-") fields += "X-Forwarded-Host: " + host + "\r\n";
  return fields + "X-Forwarded-Proto: http\r\nX-Forwarded-Port: " + any + "\r\nX-Request-Id: " + any +
         "\r\nX-Request-Start: t=" + any + "\r\nVia: " + version + " sekisho\r\n";
}

// {own STATUS [close|alive] [head]}: an answer of Sekisho's own, whole.
std::string own_answer(const std::vector<std::string>& words) {
  const auto has = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  const unsigned status = static_cast<unsigned>(std::stoul(words.at(1)));
  const std::string body = words[1] + " " + std::string(proxy::reason_phrase(status)) + "\n";
  std::string answer =
      "HTTP/1.1 " + body.substr(0, body.size() - 1) + "\r\nDate: " + any +
      " GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\nCache-Control: no-store\r\n";
  if (status == 405) answer += "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
  if (status == 503) answer += "Retry-After: 1\r\n";
  if (has("close")) answer += "Connection: close\r\n";
  if (has("alive")) answer += "Connection: keep-alive\r\n";
  return answer + "\r\n" + (has("head") ? "" : body);
}

std::string expand(std::string_view name) {
  const auto words = words_of(name);
  if (words.empty()) throw std::runtime_error("nothing in braces");
  if (words[0] == "forwarding") return forwarding(words);
  if (words[0] == "own") return own_answer(words);
  if (words[0] == "date") return "Date: " + any + " GMT\r\n";
  throw std::runtime_error("an unknown name in braces: " + std::string(name));
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) throw std::runtime_error("an escape without an end");
    constexpr std::string_view letters = "rnts\\", bytes = "\r\n\t \\";
    if (const auto at = letters.find(text[i]); at != std::string_view::npos) {
      out += bytes[at];
    } else if (text[i] == 'x' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      throw std::runtime_error("an unknown escape");
    }
  }
  return out;
}

std::string escape(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (c == any_of_line) {
      out += "...";
    } else if (c == '\r' || c == '\n' || c == '\t' || c == '\\') {
      out += c == '\r' ? "\\r" : c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\\\";
    } else if (u < 0x20 || u >= 0x7f) {
      out += {'\\', 'x', digits[u / 16], digits[u % 16]};
    } else {
      out += c;
    }
  }
  return out;
}

std::string compile_pattern(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t at = std::min(text.find('{'), text.find("..."));
    out += unescape(text.substr(0, at));
    if (at >= text.size()) break;
    if (text[at] == '.') {
      out += any_of_line;
      text.remove_prefix(at + 3);
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) throw std::runtime_error("a brace without an end");
    out += expand(text.substr(at + 1, end - at - 1));
    text.remove_prefix(end + 1);
  }
  return out;
}

Match match(std::string_view pattern, std::string_view bytes) {
  std::size_t at = 0;
  while (!pattern.empty()) {
    const std::size_t wild = std::min(pattern.find(any_of_line), pattern.size());
    const std::string_view literal = pattern.substr(0, wild);
    const auto parts =
        std::mismatch(literal.begin(), literal.end(), bytes.begin() + static_cast<long>(at), bytes.end());
    at += static_cast<std::size_t>(parts.first - literal.begin());
    if (parts.first != literal.end())
      return {parts.second == bytes.end() ? Match::Result::more : Match::Result::no, at};
    if (wild == pattern.size()) break;
    pattern.remove_prefix(wild + 1);
    // Ends where what follows it begins: no pattern needs to look further back.
    const std::string_view stop = pattern.substr(0, std::min<std::size_t>(pattern.find(any_of_line), 2));
    const std::size_t line_end = bytes.find_first_of("\r\n", at);
    const std::size_t end = stop.empty() ? line_end : bytes.find(stop, at);
    if (end > line_end) return {Match::Result::no, line_end};
    if (end == std::string_view::npos) return {Match::Result::more, bytes.size()};
    at = end;
  }
  return {Match::Result::yes, at};
}

}  // namespace sekisho::test
