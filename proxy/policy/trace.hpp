// What `explain` prints: the steps of one request's admission, as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sekisho::policy {

// Filled in by Engine::admit. Every byte that a client chose is escaped when it is added, so that the text is
// fit for a terminal.
class Trace {
 public:
  struct Step {
    std::string name;                // "client", "host", "limit per-client"
    std::vector<std::string> lines;  // the first says what came of it
  };

  // Begins a step; `text` is ours, client bytes in it already through escaped().
  void step(std::string_view name, std::string text);
  // One more line of the step begun last.
  void detail(std::string text);

  const std::vector<Step>& steps() const { return steps_; }
  // One step a paragraph: its name, then its lines, aligned.
  std::string text() const;

 private:
  std::vector<Step> steps_;
};

// Control characters, the backslash and bytes from 0x7f on as \xHH.
std::string escaped(std::string_view bytes);

}  // namespace sekisho::policy
