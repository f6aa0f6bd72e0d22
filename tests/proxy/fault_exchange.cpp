#include "tests/proxy/fault_exchange.hpp"

#include <fmt/format.h>

namespace sekisho::test {
namespace {

// Never the same for long, so that bytes in a wrong place are seen.
std::string pattern(std::size_t size) {
  std::string text;
  text.reserve(size + 16);
  for (std::size_t n = 0; text.size() < size; ++n) text += fmt::format("{} ", n);
  text.resize(size);
  return text;
}

std::string in_chunks(const std::string& body, std::size_t size) {
  std::string coded;
  for (std::size_t at = 0; at < body.size(); at += size) {
    const std::string data = body.substr(at, size);
    coded += fmt::format("{:x}\r\n{}\r\n", data.size(), data);
  }
  return coded + "0\r\n\r\n";
}

std::string request_head(const std::string& line, const std::string& fields = {}) {
  return line + "\r\nHost: www.example.jp\r\n" + fields + "\r\n";
}

ScriptedRequest get(const std::string& target, const std::string& answer,
                    const std::string& version = "1.1") {
  ScriptedRequest request;
  request.head = request_head("GET " + target + " HTTP/" + version);
  request.answer = answer;
  return request;
}

ScriptedRequest with_body(const std::string& method, const std::string& target, const std::string& body,
                          const std::string& answer, const std::string& fields = {}) {
  ScriptedRequest request;
  request.head = request_head(method + " " + target + " HTTP/1.1",
                              fmt::format("Content-Length: {}\r\n{}", body.size(), fields));
  request.sent_body = request.body = body;
  request.idempotent = method == "PUT";
  request.answer = answer;
  return request;
}

ScriptedRequest with_chunks(const std::string& target, const std::string& body, std::size_t size,
                            const std::string& answer) {
  ScriptedRequest request;
  request.head = request_head("POST " + target + " HTTP/1.1", "Transfer-Encoding: chunked\r\n");
  request.body = body;
  request.sent_body = in_chunks(body, size);
  request.idempotent = false;
  request.answer = answer;
  return request;
}

// Each says by X-Origin that it is not ours.
ScriptedAnswer with_length(const std::string& body) {
  return {.bytes = fmt::format("HTTP/1.1 200 OK\r\nX-Origin: yes\r\nContent-Length: {}\r\n\r\n{}",
                               body.size(), body)};
}

ScriptedAnswer chunked(const std::string& body, std::size_t size) {
  return {.bytes = "HTTP/1.1 200 OK\r\nX-Origin: yes\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   in_chunks(body, size)};
}

ScriptedAnswer until_close(const std::string& body) {
  return {.bytes = "HTTP/1.1 200 OK\r\nX-Origin: yes\r\nConnection: close\r\n\r\n" + body, .closes = true};
}

void add_downloads(std::vector<FaultExchange>& all) {
  const std::string medium = pattern(50'000), large = pattern(1 << 20);
  all.push_back(
      {.name = "a small GET", .requests = {get("/a", "hello")}, .answers = {{"/a", with_length("hello")}}});
  all.push_back({.name = "a chunked response",
                 .requests = {get("/a", medium)},
                 .answers = {{"/a", chunked(medium, 7000)}},
                 .small = false});
  all.push_back({.name = "a small chunked response to HTTP/1.0",
                 .requests = {get("/a", "hello, old friend", "1.0")},
                 .answers = {{"/a", chunked("hello, old friend", 7)}}});
  all.push_back({.name = "a chunked response to HTTP/1.0",
                 .requests = {get("/a", medium, "1.0")},
                 .answers = {{"/a", chunked(medium, 7000)}},
                 .small = false});
  all.push_back({.name = "a response ended by a FIN",
                 .requests = {get("/a", medium)},
                 .answers = {{"/a", until_close(medium)}},
                 .ends_by_fin = true});
  all.push_back({.name = "a response ended by a FIN to HTTP/1.0",
                 .requests = {get("/a", "hello", "1.0")},
                 .answers = {{"/a", until_close("hello")}},
                 .ends_by_fin = true});
  ScriptedAnswer broken = chunked("hello", 5);
  broken.bytes.replace(broken.bytes.rfind("0\r\n"), 1, "Q");
  all.push_back({.name = "a broken chunk",
                 .requests = {get("/a", "hello")},
                 .answers = {{"/a", broken}},
                 .races = true});
  all.push_back({.name = "1 MB to a slow reader",
                 .requests = {get("/a", large)},
                 .answers = {{"/a", with_length(large)}},
                 .pipe = 64 << 10,
                 .client_takes = 16 << 10,
                 .small = false});
  all.push_back({.name = "1 MB to a slow reader, little of it read ahead",
                 .requests = {get("/a", large)},
                 .answers = {{"/a", chunked(large, 20'000)}},
                 .upstream_yaml = "buffer: {response: 64KiB}",
                 .pipe = 64 << 10,
                 .client_takes = 16 << 10,
                 .small = false});
}

void add_uploads(std::vector<FaultExchange>& all) {
  const std::string small = pattern(3000), large = pattern(300'000);
  all.push_back({.name = "a small POST",
                 .requests = {with_body("POST", "/a", small, "taken")},
                 .answers = {{"/a", with_length("taken")}}});
  all.push_back({.name = "a small PUT",
                 .requests = {with_body("PUT", "/a", small, "taken")},
                 .answers = {{"/a", with_length("taken")}}});
  ScriptedRequest streamed = with_body("POST", "/a", large, "taken");
  streamed.held = false;
  all.push_back({.name = "a large POST",
                 .requests = {streamed},
                 .answers = {{"/a", with_length("taken")}},
                 .small = false});
  all.push_back({.name = "a small chunked POST",
                 .requests = {with_chunks("/a", small, 700, "taken")},
                 .answers = {{"/a", with_length("taken")}}});
  ScriptedRequest flowing = with_chunks("/a", large, 9000, "taken");
  flowing.held = false;
  all.push_back({.name = "a large chunked POST",
                 .requests = {flowing},
                 .answers = {{"/a", with_length("taken")}},
                 .small = false});
  ScriptedRequest polite = with_body("POST", "/a", small, "taken", "Expect: 100-continue\r\n");
  polite.awaits_continue = true;
  all.push_back(
      {.name = "a POST that waits for 100", .requests = {polite}, .answers = {{"/a", with_length("taken")}}});
  ScriptedAnswer early = with_length("enough");
  early.early = true;
  ScriptedRequest cut_short = streamed;
  cut_short.answer = "enough";
  all.push_back({.name = "a large POST answered early",
                 .requests = {cut_short},
                 .answers = {{"/a", early}},
                 .races = true,
                 .small = false});
  ScriptedRequest refused = with_body("POST", "/r", small, {});
  refused.head.replace(refused.head.find("www.example.jp"), 14, "elsewhere.test");
  refused.status = 421;
  all.push_back({.name = "a refused POST, then a GET",
                 .requests = {refused, get("/a", "hello")},
                 .answers = {{"/a", with_length("hello")}}});
}

void add_connections(std::vector<FaultExchange>& all) {
  const std::string medium = pattern(20'000);
  all.push_back({.name = "a pipeline of three",
                 .requests = {get("/a", "hello"), get("/b", medium), get("/c", "goodbye")},
                 .answers = {{"/a", with_length("hello")},
                             {"/b", chunked(medium, 3000)},
                             {"/c", with_length("goodbye")}},
                 .pipelined = true});
  all.push_back(
      {.name = "a pipeline with a POST in it",
       .requests = {get("/a", "hello"), with_body("POST", "/b", "one=1", "taken"), get("/c", "goodbye")},
       .answers = {{"/a", with_length("hello")},
                   {"/b", with_length("taken")},
                   {"/c", with_length("goodbye")}},
       .pipelined = true});
  all.push_back(
      {.name = "GET, POST, PUT on kept connections",
       .requests = {get("/a", "hello"), with_body("POST", "/b", medium, "taken"),
                    with_body("PUT", "/c", medium, "stored")},
       .answers = {
           {"/a", with_length("hello")}, {"/b", with_length("taken")}, {"/c", with_length("stored")}}});
  ScriptedRequest upgrade;
  upgrade.head = request_head("GET /chat HTTP/1.1", "Connection: Upgrade\r\nUpgrade: chat\r\n");
  upgrade.status = 101;
  all.push_back(
      {.name = "an upgrade, half-closed",
       .requests = {upgrade},
       .answers = {{"/chat",
                    {.bytes = "HTTP/1.1 101 Switching Protocols\r\nX-Origin: yes\r\nConnection: Upgrade\r\n"
                              "Upgrade: chat\r\n\r\n"}}},
       .tunnel = {.from_client = medium,
                  .from_upstream = "what news?" + medium,
                  .farewell = "farewell" + medium},
       .small = false});
  ScriptedAnswer dying = with_length("hello");
  dying.dies_if_reused = true;
  all.push_back({.name = "a pooled connection that dies under a GET",
                 .requests = {get("/a", "hello"), get("/b", "hello")},
                 .answers = {{"/a", with_length("hello")}, {"/b", dying}}});
  ScriptedRequest lost = with_body("POST", "/b", "one=1", "hello");
  lost.status = 502;
  all.push_back({.name = "a pooled connection that dies under a POST",
                 .requests = {get("/a", "hello"), lost},
                 .answers = {{"/a", with_length("hello")}, {"/b", dying}},
                 .races = true});
  ScriptedAnswer leaving = with_length("hello");
  leaving.closes = true;
  all.push_back({.name = "a server that closes without saying so",
                 .requests = {get("/a", "hello"), with_body("POST", "/b", "one=1", "taken")},
                 .answers = {{"/a", leaving}, {"/b", with_length("taken")}},
                 .races = true});
  const FaultExchange talk{
      .requests = {get("/a", medium), with_body("POST", "/b", "one=1", "taken")},
      .answers = {{"/a", with_length(medium)}, {"/b", with_length("taken")}},
  };
  FaultExchange queue = talk;
  queue.name = "three clients and one permit";
  queue.clients = 3;
  queue.max_in_flight = 1;
  queue.small = false;
  all.push_back(queue);
  queue.name = "three clients and one connection";
  queue.max_in_flight = 0;
  queue.max_connections = 1;
  all.push_back(queue);
  all.push_back({.name = "two servers, the first refusing",
                 .requests = {with_body("POST", "/a", "one=1", "taken"), get("/b", "hello")},
                 .answers = {{"/a", with_length("taken")}, {"/b", with_length("hello")}},
                 .servers = {1, 2},
                 .refusing = {1}});
}

// Where every read and write is a part of a head, a chunk or a line.
void add_drips(std::vector<FaultExchange>& all) {
  const std::string small = pattern(150);
  const auto add = [&](FaultExchange exchange, std::size_t pipe = 23) {
    exchange.pipe = pipe;
    exchange.small = false;
    all.push_back(std::move(exchange));
  };
  add({.name = "dripping: a GET", .requests = {get("/a", small)}, .answers = {{"/a", with_length(small)}}});
  add({.name = "dripping: a chunked response",
       .requests = {get("/a", small)},
       .answers = {{"/a", chunked(small, 40)}}});
  add({.name = "dripping: a chunked response to HTTP/1.0",
       .requests = {get("/a", small, "1.0")},
       .answers = {{"/a", chunked(small, 40)}}});
  add({.name = "dripping: a response ended by a FIN",
       .requests = {get("/a", small)},
       .answers = {{"/a", until_close(small)}},
       .ends_by_fin = true});
  add({.name = "dripping: a chunked POST, then a PUT",
       .requests = {with_chunks("/a", small, 40, "taken"), with_body("PUT", "/b", small, "stored")},
       .answers = {{"/a", with_length("taken")}, {"/b", with_length("stored")}}});
  ScriptedRequest streamed = with_body("POST", "/a", pattern(5000), "taken");
  streamed.held = false;
  add({.name = "dripping: a streamed POST",
       .requests = {streamed},
       .answers = {{"/a", with_length("taken")}},
       .upstream_yaml = "buffer: {request: 4KiB}"},
      300);
  add({.name = "dripping: a pipeline of three",
       .requests = {get("/a", "hello"), with_body("POST", "/b", "one=1", "taken"), get("/c", small)},
       .answers = {{"/a", with_length("hello")}, {"/b", with_length("taken")}, {"/c", chunked(small, 40)}},
       .pipelined = true});
  ScriptedAnswer dying = with_length("hello");
  dying.dies_if_reused = true;
  add({.name = "dripping: a pooled connection that dies",
       .requests = {get("/a", "hello"), get("/b", "hello")},
       .answers = {{"/a", with_length("hello")}, {"/b", dying}}});
}

}  // namespace

std::string FaultExchange::yaml() const {
  std::string addresses;
  for (const std::uint16_t port : servers) {
    addresses += fmt::format("{}\"127.0.0.1:{}\"", addresses.empty() ? "" : ", ", port);
  }
  return fmt::format(
      "listen: 127.0.0.1:0\n"
      "upstream: {{servers: [{}], max_in_flight: {}, max_connections: {}, connect_timeout: 1s, "
      "response_timeout: 1s, tunnel_timeout: 1s, idle_timeout: 1s{}{}}}\n"
      "hosts: [www.example.jp]\n"
      "client: {{idle_timeout: 1s, header_timeout: 1s, body_timeout: 1s, send_timeout: 1s, max_connections: "
      "64}}\n"
      "limits: [{{name: places, key: global, in_flight: 1000}}]\n"
      "log: {{access: /dev/null}}\n",
      addresses, max_in_flight, max_connections, upstream_yaml.empty() ? "" : ", ", upstream_yaml);
}

std::vector<FaultExchange> all_fault_exchanges() {
  std::vector<FaultExchange> all;
  add_downloads(all);
  add_uploads(all);
  add_connections(all);
  add_drips(all);
  return all;
}

}  // namespace sekisho::test
