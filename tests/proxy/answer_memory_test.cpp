// An answer that is remembered is the one that would be written.
#include "proxy/answer_memory.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace sekisho::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string written(const LocalAnswer& answer, const policy::Admission* admission) {
  HeadBuffer out(8192);
  write_local_answer(out, answer, admission);
  return std::string(out.view());
}

// Each changes one thing that an answer is made of, or nothing.
const std::vector<std::function<void(LocalAnswer&, policy::Admission&, unsigned)>>& changes() {
  static const std::string names[] = {"login", "search", "all"};
  static const std::string bodies[] = {"", "<p>one</p>", "<p>three</p>"};
  static const std::vector<std::function<void(LocalAnswer&, policy::Admission&, unsigned)>> all = {
      [](LocalAnswer&, policy::Admission&, unsigned) {},
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.status = r % 2 == 0 ? 429 : 403; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.keep_alive = r % 2 == 0; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.head_request = r % 2 == 0; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.prefers_json = r % 2 == 0; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.date = 784'111'777 + r % 3; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.retry_after = r % 3; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) { answer.body = bodies[r % 3]; },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) {
        answer.content_type = r % 2 == 0 ? "" : "text/html";
      },
      [](LocalAnswer& answer, policy::Admission&, unsigned r) {
        answer.client_version = r % 2 == 0 ? 10 : 11;
      },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.limit_name = names[r % 3]; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.policy_name = names[r % 3]; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) {
        admission.outcome = r % 2 == 0 ? policy::Outcome::limited : policy::Outcome::banned;
      },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.show_ratelimit = r % 2 == 0; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.show_retry_after = r % 2 == 0; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.policy_quota = r % 3; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.policy_window = r % 3; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.ban_set = seconds(r % 3); },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) {
        admission.decision.retry_after = milliseconds(600 * (r % 4));
      },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) {
        admission.decision.admitted = r % 2 == 0;
      },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) { admission.decision.remaining = r % 3; },
      [](LocalAnswer&, policy::Admission& admission, unsigned r) {
        admission.decision.reset_after = milliseconds(700 * (r % 4));
      },
  };
  return all;
}

TEST(AnswerMemory, SaysWhatWouldBeWritten) {
  std::mt19937 random(20261128);
  AnswerMemory memory;
  HeadBuffer scratch(8192);
  LocalAnswer answer;
  policy::Admission admission;
  unsigned remembered = 0;
  for (int i = 0; i < 50'000; ++i) {
    changes()[random() % changes().size()](answer, admission, static_cast<unsigned>(random()));
    const policy::Admission* given = random() % 16 == 0 ? nullptr : &admission;
    scratch.clear();
    const AnswerMemory::Written got = memory.write(answer, given, scratch);
    const std::string expected = written(answer, given);
    ASSERT_EQ(got.text, expected) << i;
    ASSERT_EQ(got.head, expected.find("\r\n\r\n") + 4);
    remembered += scratch.size() == 0 ? 1 : 0;
  }
  EXPECT_GT(remembered, 5000U);
}

// A text that changed in place is seen once the configuration is said to be new.
TEST(AnswerMemory, ForgetsWithTheConfiguration) {
  AnswerMemory memory;
  HeadBuffer scratch(8192);
  std::string name = "login";
  policy::Admission admission;
  admission.outcome = policy::Outcome::limited;
  admission.limit_name = admission.policy_name = name;
  admission.show_ratelimit = true;
  LocalAnswer answer;
  answer.status = 429;
  memory.write(answer, &admission, scratch);
  name[0] = 'L';
  memory.forget();
  EXPECT_EQ(memory.write(answer, &admission, scratch).text, written(answer, &admission));
}

// What is too long to keep is written each time.
TEST(AnswerMemory, WritesTheLongAnew) {
  AnswerMemory memory;
  HeadBuffer scratch(8192);
  const std::string type(3000, 'x');
  LocalAnswer answer;
  answer.body = "x";
  answer.content_type = type;
  for (int i = 0; i < 3; ++i) {
    scratch.clear();
    EXPECT_EQ(memory.write(answer, nullptr, scratch).text, written(answer, nullptr));
    EXPECT_NE(scratch.size(), 0U);
  }
}

}  // namespace
}  // namespace sekisho::proxy
