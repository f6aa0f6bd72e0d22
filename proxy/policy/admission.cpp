#include "proxy/policy/admission.hpp"

namespace sekisho::policy {

void Admission::reset() {
  outcome = Outcome::proxied;
  action = nullptr;
  client = {};
  peer_trusted = false;
  authority = {};
  route = -1;
  path.clear();
  origin_target = {};
  limit = -1;
  limit_name = {};
  key.clear();
  decision = {};
  show_ratelimit = false;
  show_retry_after = false;
  ban_set = {};
  policy_quota = 0;
  policy_window = 0;
  policy_name = {};
  shadow_names.clear();
  delay = {};
  charged.clear();
  charged_late.clear();
  places.clear();
}

}  // namespace sekisho::policy
