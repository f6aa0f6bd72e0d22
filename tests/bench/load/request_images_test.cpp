#include "bench/load/request_images.hpp"

#include <gtest/gtest.h>

namespace sekisho::load {
namespace {

TEST(RequestImages, ByDefaultTheLeast) {
  const RequestImages images(ClientClass{}, "127.0.0.1:80");
  ASSERT_EQ(images.paths(), 1U);
  EXPECT_EQ(images.head(0, false).head, "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
  EXPECT_EQ(images.head(0, true).head, "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(images.head(0, false).address, 0U);
  EXPECT_EQ(images.body(), "");
}

TEST(RequestImages, EveryPathAndField) {
  ClientClass clients;
  clients.paths = {"/a", "/b?c=d"};
  clients.headers = {"X-One: 1", "connection: keep-alive"};
  clients.host = "www.example.jp";
  clients.clients = Population{};
  const RequestImages images(clients, "unused");
  ASSERT_EQ(images.paths(), 2U);
  const RequestImages::Image& image = images.head(1, true);
  EXPECT_EQ(image.head,
            "GET /b?c=d HTTP/1.1\r\nHost: www.example.jp\r\nX-One: 1\r\nconnection: keep-alive\r\n"
            "X-Forwarded-For:                \r\n\r\n");
  EXPECT_EQ(image.head.substr(image.address), std::string(15, ' ') + "\r\n\r\n");
  EXPECT_EQ(images.most_head_bytes(), image.head.size());
}

TEST(RequestImages, AHostOfOnesOwnIsTheOnlyOne) {
  ClientClass clients;
  clients.headers = {"HOST: a"};
  EXPECT_EQ(RequestImages(clients, "b").head(0, false).head, "GET / HTTP/1.1\r\nHOST: a\r\n\r\n");
}

TEST(RequestImages, Bodies) {
  ClientClass clients;
  clients.method = "POST";
  EXPECT_EQ(RequestImages(clients, "h").head(0, false).head,
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  clients.body = 20'000;
  const RequestImages counted(clients, "h");
  EXPECT_EQ(counted.head(0, false).head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n");
  EXPECT_EQ(counted.body().size(), 20'000U);
  clients.chunked = true;
  const RequestImages chunked(clients, "h");
  EXPECT_EQ(chunked.head(0, false).head, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string whole(counted.body());
  EXPECT_EQ(chunked.body(),
            "4000\r\n" + whole.substr(0, 16384) + "\r\ne20\r\n" + whole.substr(16384) + "\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace sekisho::load
