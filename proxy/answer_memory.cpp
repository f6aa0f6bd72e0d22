#include "proxy/answer_memory.hpp"

#include "proxy/common_fields.hpp"

namespace sekisho::proxy {

AnswerMemory::Said::Said(const LocalAnswer& answer, const policy::Admission* admission)
    : date(answer.date),
      status(answer.status),
      client_version(answer.client_version),
      keep_alive(answer.keep_alive),
      head_request(answer.head_request),
      prefers_json(answer.prefers_json),
      answer_retry_after(answer.retry_after),
      body(answer.body),
      content_type(answer.content_type) {
  if (admission == nullptr) return;
  const ratelimit::Decision& decision = admission->decision;
  admission_given = true;
  show_ratelimit = admission->show_ratelimit;
  show_retry_after = admission->show_retry_after;
  outcome = admission->outcome;
  limit_name = admission->limit_name;
  if (show_retry_after) retry_after = round_up_to_seconds(admission->retry_after());
  if (!show_ratelimit) return;
  admitted = decision.admitted;
  remaining = decision.remaining;
  reset_after = round_up_to_seconds(admitted ? decision.reset_after : decision.retry_after);
  policy_name = admission->policy_name;
  quota = admission->policy_quota;
  window = admission->policy_window;
}

AnswerMemory::Written AnswerMemory::write(const LocalAnswer& answer, const policy::Admission* admission,
                                          HeadBuffer& scratch) {
  const Said said(answer, admission);
  if (size_ != 0 && said == said_) return {{text_.data(), size_}, head_};
  scratch.clear();
  write_local_answer(scratch, answer, admission);
  const std::string_view text = scratch.view();
  head_ = text.find("\r\n\r\n") + 4;
  size_ = text.size() <= longest ? text.copy(text_.data(), longest) : 0;
  said_ = said;
  return {text, head_};
}

}  // namespace sekisho::proxy
