#include "proxy/tls_contexts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/load.hpp"
#include "tests/support/tls_files.hpp"

namespace sekisho::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TlsContextsTest : public testing::Test {
 protected:
  // What is wrong with a file, formatted.
  std::vector<std::string> problems(const std::string& yaml) {
    config::Loaded loaded = config::load_text(yaml, "f", files_.path(""));
    EXPECT_TRUE(loaded.draft != nullptr);
    contexts_ = read_tls(*loaded.draft, loaded.diagnostics);
    std::vector<std::string> texts;
    for (const config::Diagnostic& item : loaded.diagnostics.sorted()) {
      const bool warning = item.severity == config::Severity::warning;
      texts.push_back((warning ? "warning: " : "") + loaded.diagnostics.format(item));
    }
    return texts;
  }
  std::vector<std::string> of_pair(const std::string& certificate, const std::string& key) {
    return problems("upstream: a:1\nlisten: {address: \"0.0.0.0:1\", tls: {certificate: " + certificate +
                    ", private_key: " + key + "}}\n");
  }
  std::vector<std::string> of_upstream(const std::string& tls, const std::string& server = "127.0.0.1:1") {
    return problems("upstream: {servers: \"" + server + "\", tls: " + tls + "}\n");
  }

  test::TlsFiles files_;
  TlsContexts contexts_;
};

TEST_F(TlsContextsTest, ReadsPairsRelativeToTheConfiguration) {
  files_.make("a", "a.example", "DNS:a.example");
  EXPECT_THAT(of_pair("a.pem", "a.key"), IsEmpty());
  ASSERT_EQ(contexts_.listeners.size(), 1U);
  EXPECT_NE(contexts_.listeners[0], nullptr);
  EXPECT_THAT(contexts_.upstreams.at(0), IsEmpty()) << "plain";
}

TEST_F(TlsContextsTest, TellsEveryProblemOfAPairAtItsPlace) {
  files_.make("a", "a.example", "DNS:a.example");
  files_.make("b", "b.example", "DNS:b.example");
  files_.make("old", "old.example", "", -30, -2);
  files_.make("new", "new.example", "", 2, 30);
  files_.write_text(files_.path("text"), "hello\n");
  files_.write_text(files_.path("broken.pem"),
                    files_.read_text(files_.path("a.pem")).replace(60, 8, "AAAAAAAA"));
  files_.write_text(files_.path("chain.pem"),
                    files_.read_text(files_.ca()) + files_.read_text(files_.path("a.pem")));
  files_.write_encrypted_key(files_.path("secret.key"));
  const auto one = [&](const std::string& says) { return ElementsAre(HasSubstr(says)); };
  EXPECT_THAT(of_pair("a.pem", "b.key"),
              one("f:2:71: " + files_.path("b.key") + " is not the key of the certificate"));
  EXPECT_THAT(of_pair("none.pem", "a.key"),
              one("f:2:51: " + files_.path("none.pem") + " cannot be opened: No such file"));
  EXPECT_THAT(of_pair("none.pem", "none.key"), ElementsAre(HasSubstr("none.pem"), HasSubstr("none.key")));
  EXPECT_THAT(of_pair("text", "a.key"), one("holds no certificate in PEM form"));
  EXPECT_THAT(of_pair("a.pem", "text"), one("holds no private key in PEM form"));
  EXPECT_THAT(of_pair("a.key", "a.pem"), ElementsAre(HasSubstr("swapped"), HasSubstr("swapped")));
  EXPECT_THAT(of_pair("broken.pem", "a.key"), one("its certificate 1 cannot be read"));
  EXPECT_THAT(of_pair("chain.pem", "a.key"), one("the server's own must be the first"));
  EXPECT_THAT(of_pair("a.pem", "secret.key"), one("is encrypted: a key without a passphrase is needed"));
  EXPECT_THAT(of_pair("old.pem", "old.key"),
              one("warning: f:2:51: " + files_.path("old.pem") + " has expired on 20"));
  EXPECT_NE(contexts_.listeners[0], nullptr);
  EXPECT_THAT(of_pair("new.pem", "new.key"), one("is not valid before 20"));
  EXPECT_THAT(of_pair("\".\"", "a.key"), one("is not a regular file"));
}

TEST_F(TlsContextsTest, TellsEveryProblemOfAnUpstream) {
  files_.write_text(files_.path("empty.pem"), "");
  EXPECT_THAT(of_upstream("{ca: none.pem}"), ElementsAre(HasSubstr("f:1:46: " + files_.path("none.pem"))));
  EXPECT_THAT(of_upstream("{ca: empty.pem}"), ElementsAre(HasSubstr("holds no certificate in PEM form")));
  EXPECT_THAT(of_upstream("{ca: ca.pem, verify: false}"),
              ElementsAre(HasSubstr("warning: f:1:46: ca is not looked at")));
  EXPECT_THAT(of_upstream("{ca: ca.pem}", "unix:/run/app.sock"),
              ElementsAre(HasSubstr("tls needs a server_name")));
  EXPECT_THAT(of_upstream("{ca: ca.pem, server_name: a.example}", "unix:/run/app.sock"), IsEmpty());
  EXPECT_THAT(of_upstream("{verify: false}", "unix:/run/app.sock"), IsEmpty());
}

TEST_F(TlsContextsTest, AnUpstreamIsTheSameWhileItsSettingsAndAuthorityAre) {
  const auto identity = [&](const std::string& tls) {
    EXPECT_THAT(of_upstream(tls), IsEmpty());
    return contexts_.upstreams.at(0).at(0);
  };
  const auto first = identity("{ca: ca.pem}");
  EXPECT_TRUE(same_tls(first.get(), identity("{ca: ca.pem, verify: true}").get()));
  EXPECT_FALSE(same_tls(first.get(), identity("{ca: ca.pem, server_name: x}").get()));
  EXPECT_FALSE(same_tls(first.get(), identity("{verify: false}").get()));
  EXPECT_FALSE(same_tls(first.get(), nullptr));
  EXPECT_TRUE(same_tls(nullptr, nullptr));
  files_.make("ca", "another", "");
  EXPECT_FALSE(same_tls(first.get(), identity("{ca: ca.pem}").get()));
}

TEST_F(TlsContextsTest, ChoosesThePairByName) {
  files_.make("first", "first.example", "DNS:first.example");
  files_.make("wild", "unused.example", "DNS:*.app.example,DNS:App.Example");
  files_.make("exact", "x", "DNS:a.app.example,DNS:first.example");
  files_.make("common", "Common.example", "");
  std::string pairs;
  for (const std::string name : {"first", "wild", "exact", "common"}) {
    pairs += "{certificate: " + name + ".pem, private_key: " + name + ".key},";
  }
  EXPECT_THAT(problems("upstream: a:1\nlisten: {address: \"0.0.0.0:1\", tls: [" + pairs + "]}\n"), IsEmpty());
  const TlsServerContexts& contexts = *contexts_.listeners[0];
  EXPECT_EQ(contexts.choose("first.example"), 0U) << "the first of two that have the name";
  EXPECT_EQ(contexts.choose("app.example"), 1U);
  EXPECT_EQ(contexts.choose("b.app.example"), 1U);
  EXPECT_EQ(contexts.choose("B.APP.EXAMPLE."), 1U);
  EXPECT_EQ(contexts.choose("a.app.example"), 2U) << "a name goes before a wildcard";
  EXPECT_EQ(contexts.choose("b.a.app.example"), 0U) << "a wildcard is one label";
  EXPECT_EQ(contexts.choose("common.example"), 3U) << "the common name, where there is no other";
  EXPECT_EQ(contexts.choose("unused.example"), 0U) << "not the common name where there are others";
  EXPECT_EQ(contexts.choose(""), 0U);
  EXPECT_EQ(contexts.choose(".app.example"), 0U);
  EXPECT_EQ(contexts.choose(std::string(300, 'a')), 0U);
}

}  // namespace
}  // namespace sekisho::proxy
