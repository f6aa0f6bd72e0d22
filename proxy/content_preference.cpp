// prefers_json of head_writer.hpp: what Accept and Content-Type say about the client.
#include "proxy/head_writer.hpp"
#include "proxy/http_text.hpp"

namespace sekisho::proxy {

namespace {

// One media type's place in the client's wishes.
struct Wish {
  int quality = -1;    // thousandths; -1: not named
  unsigned place = 0;  // in the order of the list
  void raise(int q, unsigned at) {
    if (q > quality) {
      quality = q;
      place = at;
    }
  }
};

// qvalue of RFC 9110, 12.4.2, in thousandths; what is malformed counts as 1.
int parse_quality(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 1000;
  int value = (text[0] - '0') * 1000;
  int unit = 100;
  for (std::size_t i = 2; i < text.size() && i < 5 && is_digit(text[i]); ++i, unit /= 10)
    value += (text[i] - '0') * unit;
  return value < 1000 ? value : 1000;
}

int quality_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = parameters.find(';');
    const std::string_view parameter = trim(parameters.substr(0, end));
    if (starts_with_lower(parameter, "q=")) return parse_quality(parameter.substr(2));
    if (end == std::string_view::npos) break;
    parameters.remove_prefix(end + 1);
  }
  return 1000;
}

bool is_json(std::string_view type) {
  if (equals_lower(type, "application/json")) return true;
  return starts_with_lower(type, "application/") && type.size() > 5 &&
         equals_lower(type.substr(type.size() - 5), "+json");
}

bool is_text(std::string_view type) {
  return equals_lower(type, "text/html") || equals_lower(type, "text/plain") ||
         equals_lower(type, "text/*") || equals_lower(type, "application/xhtml+xml");
}

std::string_view type_of(std::string_view value) {
  return trim(value.substr(0, value.find(';')));
}

}  // namespace

bool prefers_json(const RequestHead& head) {
  Wish json;
  Wish text;
  int any = -1;
  unsigned place = 0;
  for (const Field& field : head.fields) {
    if (field.id == FieldId::content_type && is_json(type_of(field.value))) return true;
    if (field.id != FieldId::accept) continue;
    std::string_view list = field.value;
    std::string_view element;
    while (next_element(list, element)) {
      const std::string_view type = type_of(element);
      const int quality = quality_of(element.substr(type.size()));
      ++place;
      if (is_json(type)) json.raise(quality, place);
      if (is_text(type)) text.raise(quality, place);
      if (type == "*/*") any = quality;
    }
  }
  if (json.quality <= 0) return false;
  if (text.quality < 0) return json.quality >= any;
  return json.quality > text.quality || (json.quality == text.quality && json.place < text.place);
}

}  // namespace sekisho::proxy
