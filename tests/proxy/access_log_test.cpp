#include "proxy/access_log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

#include "proxy/access_line.hpp"

namespace sekisho::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

class AccessLine : public testing::Test {
 protected:
  std::string line(const config::Log& log = {}, std::optional<double> sample = std::nullopt) {
    std::array<char, 4096> space{};
    const std::size_t size = format_access_line(space, record_, AccessLogOptions(log), sample, timestamps_);
    return {space.data(), size};
  }

  config::IpAddress client_ = *config::IpAddress::parse("203.0.113.7");
  config::IpAddress peer_ = *config::IpAddress::parse("::1");
  RequestHead head_;
  AccessRecord record_;
  TimestampCache timestamps_;
};

TEST_F(AccessLine, HasEveryFieldInOrder) {
  head_.method = "POST";
  head_.fields = {{"X-Amzn-Trace-Id", "Root=1-2", FieldId::x_amzn_trace_id},
                  {"User-Agent", "curl/8", FieldId::user_agent},
                  {"Referer", "https://example.jp/", FieldId::referer}};
  record_.wall_ms = 1'777'638'896'789;
  record_.client = &client_;
  record_.peer = &peer_;
  record_.head = &head_;
  record_.host = "www.example.jp";
  record_.target = "/users/sign_in?a=1?b";
  record_.status = 429;
  record_.outcome = policy::Outcome::limited;
  record_.limit = "sign-in";
  record_.key = "203.0.113.7";
  record_.shadow = "one,two";
  record_.bytes_in = 17;
  record_.bytes_out = 36;
  record_.duration_us = 1'234'005;
  record_.queue_us = 0;
  record_.upstream_us = 999;
  record_.upstream = "127.0.0.1:3000";
  record_.request_id = "abc";
  EXPECT_EQ(
      line(),
      R"({"time":"2026-05-01T12:34:56.789Z","client_ip":"203.0.113.7","peer_ip":"::1","method":"POST",)"
      R"("host":"www.example.jp","path":"/users/sign_in","query":"a=1?b","status":429,"outcome":"limited",)"
      R"("limit":"sign-in","shadow":["one","two"],"key":"203.0.113.7","bytes_in":17,"bytes_out":36,)"
      R"("duration_ms":1234.005,"queue_ms":0.000,"upstream":"127.0.0.1:3000","upstream_ms":0.999,)"
      R"("request_id":"abc","trace_id":"Root=1-2","user_agent":"curl/8","referer":"https://example.jp/",)"
      R"("protocol":"HTTP/1.1"})"
      "\n");
}

TEST_F(AccessLine, WhatIsNotThereIsNull) {
  record_.outcome = policy::Outcome::bad_request;
  record_.status = 400;
  EXPECT_THAT(
      line(),
      HasSubstr(R"("client_ip":null,"peer_ip":null,"method":null,"host":null,"path":null,"query":null)"));
  EXPECT_THAT(line(), HasSubstr(R"("limit":null,"shadow":[],"key":null)"));
  EXPECT_THAT(line(), HasSubstr(R"("queue_ms":null,"upstream":null,"upstream_ms":null)"));
  EXPECT_THAT(line(), HasSubstr(R"("protocol":null})"));
}

TEST_F(AccessLine, QueryAndHeadersAsConfigured) {
  head_.fields = {{"cloudfront-viewer-country", "JP", FieldId::other},
                  {"X-Two", "a", FieldId::other},
                  {"x-two", "\"b", FieldId::other}};
  record_.head = &head_;
  record_.target = "/p?secret=1";
  config::Log log;
  log.query = false;
  log.headers = {{"CloudFront-Viewer-Country", {}}, {"X-Two", {}}, {"X-None", {}}};
  EXPECT_THAT(line(log), Not(HasSubstr("secret")));
  EXPECT_THAT(line(log),
              HasSubstr(R"("headers":{"CloudFront-Viewer-Country":"JP","X-Two":"a, \"b","X-None":null}})"));
  EXPECT_THAT(line({}, 0.25), HasSubstr(R"(,"sample":0.25})"));
}

TEST_F(AccessLine, TimeGoesOnWithinAndAcrossSeconds) {
  EXPECT_EQ(timestamps_.format(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(timestamps_.format(999), "1970-01-01T00:00:00.999Z");
  EXPECT_EQ(timestamps_.format(1000), "1970-01-01T00:00:01.000Z");
  EXPECT_EQ(timestamps_.format(951'782'400'007), "2000-02-29T00:00:00.007Z");
}

TEST_F(AccessLine, SaysSoWhenItDoesNotFit) {
  record_.host = "www.example.jp";
  std::array<char, 4096> space{};
  const std::size_t whole =
      format_access_line(space, record_, AccessLogOptions({}), std::nullopt, timestamps_);
  for (std::size_t size = 0; size < whole; ++size) {
    ASSERT_EQ(
        format_access_line({space.data(), size}, record_, AccessLogOptions({}), std::nullopt, timestamps_),
        0u);
  }
  EXPECT_EQ(
      format_access_line({space.data(), whole}, record_, AccessLogOptions({}), std::nullopt, timestamps_),
      whole);
}

// A line goes by checked appends where the most that it might take does not fit, by unchecked ones elsewhere.
TEST_F(AccessLine, IsTheSameHoweverMuchRoomThereIs) {
  head_.method = "OPTIONS";
  head_.fields = {
      {"X-Amzn-Trace-Id", "Root=1-2;\"", FieldId::x_amzn_trace_id},
      {"User-Agent", "\xff\xff\xff and \xe9\x96\xa2\xe6\x89\x80 \xe2\x80\xa8", FieldId::user_agent},
      {"Referer", "\\\\\\\\\\\\\\\\\\\\", FieldId::referer}};
  client_ = *config::IpAddress::parse("2001:db8:1111:2222:3333:4444:5555:6666");
  record_.client = &client_;
  record_.peer = &peer_;
  record_.head = &head_;
  record_.host = "\"www.example.jp\"";
  record_.target = "/\x80\x81?\x7f";
  record_.status = 429;
  record_.outcome = policy::Outcome::host_rejected;
  record_.limit = "sign-in";
  record_.key = "a\tb";
  record_.shadow = "one,two,three";
  record_.bytes_in = record_.bytes_out = ~std::uint64_t{0};
  record_.duration_us = record_.queue_us = record_.upstream_us = std::numeric_limits<std::int64_t>::max();
  record_.upstream = "unix:/run/\"x\"";
  record_.request_id = std::string_view("0123456789abcdef0123456789abcdef");
  config::Log log;
  log.headers = {{"Referer", {}}};
  const AccessLogOptions options(log);

  const std::string whole = line(log, 0.5);
  ASSERT_FALSE(whole.empty());
  for (std::size_t size = 1; size < 2 * whole.size(); ++size) {
    std::vector<char> space(size);  // of this very size, for AddressSanitizer
    const std::size_t written = format_access_line(space, record_, options, 0.5, timestamps_);
    ASSERT_EQ(written, size < whole.size() ? 0 : whole.size()) << size;
    if (written > 0) {
      ASSERT_EQ(std::string_view(space.data(), written), whole) << size;
    }
  }
}

class AccessLogFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "sekisho-log-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    log_.access = (folder_ / "access.log").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static AccessRecord numbered(std::string& target, std::size_t number) {
    target = "/" + std::to_string(number);
    AccessRecord record;
    record.target = target;
    record.status = 200;
    return record;
  }
  static std::vector<std::string> lines(const std::filesystem::path& path) {
    std::vector<std::string> all;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  static bool wait_for(const std::function<bool()>& condition) {
    for (int i = 0; i < 10'000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  std::filesystem::path folder_;
  config::Log log_;
};

TEST_F(AccessLogFile, EveryLineOfEveryLaneIsWrittenWholeOnce) {
  constexpr std::size_t lanes = 3, each = 20'000;
  std::uint64_t dropped = 0;
  {
    AccessLog log(log_, lanes);
    std::vector<std::thread> workers;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      workers.emplace_back([&log, lane] {
        std::string target;
        for (std::size_t i = 0; i < each; ++i) {
          log.lane(lane).write(numbered(target, lane * each + i));
          if (i % 500 == 0) {
            log.lane(lane).flush();
            std::this_thread::yield();
          }
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    dropped = log.dropped();
  }
  const auto written = lines(log_.access);
  EXPECT_EQ(written.size() + dropped, lanes * each);
  std::set<std::string> different(written.begin(), written.end());
  EXPECT_EQ(different.size(), written.size());
  for (const std::string& line : written) {
    ASSERT_TRUE(line.starts_with("{\"time\"") && line.ends_with("}")) << line;
  }
}

TEST_F(AccessLogFile, ATickBringsALineOut) {
  AccessLog log(log_, 1);
  std::string target;
  log.lane(0).write(numbered(target, 1));
  log.lane(0).flush();
  EXPECT_TRUE(wait_for([&] { return lines(log_.access).size() == 1; }));
}

TEST_F(AccessLogFile, ReopenAndAnotherTarget) {
  AccessLog log(log_, 1);
  std::string target;
  const auto write = [&](std::size_t number) {
    log.lane(0).write(numbered(target, number));
    log.lane(0).flush();
  };
  write(1);
  ASSERT_TRUE(wait_for([&] { return lines(log_.access).size() == 1; }));
  const auto rotated = folder_ / "access.log.1";
  std::filesystem::rename(log_.access, rotated);
  log.reopen();
  write(2);
  EXPECT_TRUE(wait_for([&] { return lines(log_.access).size() == 1; }));
  EXPECT_EQ(lines(rotated).size(), 1u);

  config::Log other = log_;
  other.access = (folder_ / "other.log").string();
  log.configure(other);
  write(3);
  EXPECT_TRUE(wait_for([&] { return lines(other.access).size() == 1; }));
  EXPECT_EQ(lines(log_.access).size(), 1u);

  other.access = (folder_ / "no" / "such" / "folder").string();
  EXPECT_THROW(log.configure(other), std::system_error);
  write(4);
  EXPECT_TRUE(wait_for([&] { return lines(folder_ / "other.log").size() == 2; }));
}

TEST_F(AccessLogFile, SamplesByOutcomeAndSaysSo) {
  log_.sample = {{"limited", 0.1}, {"banned", 0}};
  {
    AccessLog log(log_, 1);
    std::string target;
    for (std::size_t i = 0; i < 2000; ++i) {
      AccessRecord record = numbered(target, i);
      record.outcome = i % 2 == 0 ? policy::Outcome::limited : policy::Outcome::banned;
      log.lane(0).write(record);
    }
    log.lane(0).write(numbered(target, 0));
  }
  const auto written = lines(log_.access);
  // 1000 draws of 0.1: five standard deviations are 47.
  EXPECT_NEAR(static_cast<double>(written.size()), 101, 48);
  EXPECT_THAT(written.front(), HasSubstr("\"sample\":0.1}"));
  EXPECT_THAT(written.back(), Not(HasSubstr("sample")));
}

TEST_F(AccessLogFile, OffWritesNothingAndCountsNothing) {
  log_.access = "off";
  AccessLog log(log_, 1);
  std::string target;
  for (std::size_t i = 0; i < 20'000; ++i) log.lane(0).write(numbered(target, i));
  EXPECT_EQ(log.dropped(), 0u);
}

// A pipe on stdout, as under ECS; the reader is the test's.
class AccessLogPipe : public AccessLogFile {
 protected:
  void SetUp() override {
    AccessLogFile::SetUp();
    ASSERT_EQ(::pipe(pipe_), 0);
    std::fflush(stdout);
    saved_ = ::dup(STDOUT_FILENO);
    ::dup2(pipe_[1], STDOUT_FILENO);
    log_.access = "stdout";
  }
  void TearDown() override {
    ::dup2(saved_, STDOUT_FILENO);
    for (const int fd : {pipe_[0], pipe_[1], saved_}) {
      if (fd >= 0) ::close(fd);
    }
    AccessLogFile::TearDown();
  }
  void close_reader() {
    ::close(pipe_[0]);
    pipe_[0] = -1;
  }

  int pipe_[2] = {-1, -1};
  int saved_ = -1;
};

TEST_F(AccessLogPipe, AStalledReaderHoldsUpNobody) {
  std::uint64_t dropped = 0;
  const auto began = std::chrono::steady_clock::now();
  {
    AccessLog log(log_, 1);
    std::string target;
    for (std::size_t i = 0; i < 20'000; ++i) log.lane(0).write(numbered(target, i));
    dropped = log.dropped();
  }
  EXPECT_GT(dropped, 0u);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  EXPECT_EQ(flags & O_NONBLOCK, 0) << "the descriptor's flags are shared with other processes";
}

TEST_F(AccessLogPipe, AReaderThatComesBackGetsWholeLines) {
  std::string text;
  std::uint64_t dropped = 0;
  constexpr std::size_t count = 20'000;
  {
    AccessLog log(log_, 1);
    std::string target;
    for (std::size_t i = 0; i < count; ++i) log.lane(0).write(numbered(target, i));
    ASSERT_GT(log.dropped(), 0u);
    char buffer[65536];
    const auto newlines = [&] {
      return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
    };
    while (newlines() + log.dropped() < count) {
      const auto size = ::read(pipe_[0], buffer, sizeof buffer);
      ASSERT_GT(size, 0);
      text.append(buffer, static_cast<std::size_t>(size));
    }
    dropped = log.dropped();
  }
  std::istringstream stream(text);
  std::size_t whole = 0;
  for (std::string line; std::getline(stream, line); ++whole) {
    ASSERT_TRUE(line.starts_with("{\"time\"") && line.ends_with("}")) << line;
  }
  EXPECT_EQ(whole + dropped, count);
}

TEST_F(AccessLogPipe, AClosedReaderIsCounted) {
  close_reader();
  AccessLog log(log_, 1);
  std::string target;
  for (std::size_t i = 0; i < 10; ++i) log.lane(0).write(numbered(target, i));
  log.lane(0).flush();
  EXPECT_TRUE(wait_for([&] { return log.dropped() == 10; }));
}

}  // namespace
}  // namespace sekisho::proxy
