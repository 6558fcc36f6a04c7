# SPDX-License-Identifier: Apache-2.0
"""Each rule of this folder rejects what it is there for, and lets the rest pass."""
import unittest

import check_repository
import rules

FIRST = "// SPDX-License-Identifier: Apache-2.0\n"


class RulesTest(unittest.TestCase):
    def check(self, rule, path, text, is_good):
        problems = rule(path, text)
        self.assertEqual(problems == [], is_good, f"{path}: {text!r}: {problems}")

    def test_the_licence_is_in_the_first_line(self):
        self.check(rules.spdx_problems, "runtime/base/a.cc", FIRST, True)
        self.check(rules.spdx_problems, "tools/x", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", True)
        self.check(rules.spdx_problems, "LICENSE", "Apache\n", True)
        self.check(rules.spdx_problems, "runtime/base/a.cc", "\n" + FIRST, False)
        self.check(rules.spdx_problems, "README.md", "# x\n", False)

    def test_includes_point_down(self):
        good = [("capi", '"runtime/session/a.h"'), ("session", '"runtime/base/a.h"'), ("plan", '"runtime/protocol/a.h"'),
                ("table", '"runtime/base/status.h"'), ("table", '"absl/types/span.h"'), ("table", "<vector>"),
                ("net", '"transports/inproc/a.h"'), ("net", "<sys/socket.h>"), ("base", "<thread>"), ("capi", '"geeps.h"'),
                ("cache", '"runtime/cache/a.h"'),
                ("device", '"runtime/table/a.h"'), ("net", '"runtime/protocol/a.h"')]
        bad = [("session", '"runtime/capi/a.h"'), ("base", '"runtime/device/a.h"'), ("device", '"runtime/net/a.h"'),
               ("table", '"runtime/protocol/a.h"'),
               ("plan", '"runtime/base/thread.h"'), ("plan", '"runtime/net/a.h"'), ("protocol", "<mutex>"),
               ("protocol", "<chrono>"), ("table", "<sys/socket.h>"), ("plan", '"geeps.h"'), ("base", '"status.h"'),
               ("cache", '"tests/a.h"'), ("table", '"absl/time/clock.h"'), ("device", "<cuda_runtime.h>"),
               ("other", "<vector>")]
        for layer, include in good:
            self.check(rules.layer_problems, f"runtime/{layer}/a.cc", f"#include {include}\n", True)
        for layer, include in bad:
            self.check(rules.layer_problems, f"runtime/{layer}/a.cc", f"#include {include}\n", False)

    def test_plugins_samples_and_tools_see_the_public_headers_only(self):
        rule = rules.layer_problems
        self.check(rule, "transports/tcp/a.cc", '#include "geeps_transport.h"\n#include "transports/tcp/b.h"\n', True)
        self.check(rule, "plugins/cuda/a.cc", "#include <cuda_runtime.h>\n", True)
        self.check(rule, "samples/hello.c", "#include <geeps.h>\n", True)
        self.check(rule, "transports/inproc/a.cc", '#include "runtime/base/status.h"\n', True)
        self.check(rule, "transports/inproc/a.cc", '#include "runtime/net/a.h"\n', False)
        self.check(rule, "transports/tcp/a.cc", '#include "runtime/base/status.h"\n', False)
        self.check(rule, "transports/tcp/a.cc", '#include "plugins/idx/b.h"\n', False)
        self.check(rule, "plugins/idx/a.cc", '#include "absl/strings/str_cat.h"\n', False)
        self.check(rule, "samples/hello.c", '#include "runtime/base/status.h"\n', False)
        self.check(rule, "tools/geeps/main.cc", '#include "runtime/base/status.h"\n', False)

    def test_the_library_never_ends_the_process(self):
        for code in ("abort();", "std::abort ();", "exit(1);", "::_exit(0);", "throw x;", "std::cerr << 1;", "fprintf(stderr, x);", "printf(a);",
                     "std::terminate();", "absl::Mutex m;"):
            self.check(rules.call_problems, "runtime/base/a.cc", code, False)
            self.check(rules.call_problems, "tests/base/a.cc", code, True)
        for code in ("// exit() is never called", '"abort()"', "rt.abort(x)", "rt->exit()", "on_exit()", "snprintf(a);",
                     "geeps_runtime_abort(x)", "/* throw */", 'R"(exit())"'):
            self.check(rules.call_problems, "runtime/base/a.cc", code, True)

    def test_nothing_is_unfinished(self):
        self.check(rules.text_problems, "runtime/base/a.cc", "x\n", True)
        self.check(rules.text_problems, "runtime/base/a.cc", "// TODO\n", False)
        self.check(rules.text_problems, "runtime/base/a.cc", "\tx\n", False)
        self.check(rules.text_problems, "runtime/base/a.cc", "x \n", False)
        self.check(rules.text_problems, "runtime/base/a.cc", "x", False)

    def test_nothing_is_hidden_from_sanitizers(self):
        for text in ('__attribute__((no_sanitize("thread")))\n', "__lsan_ignore_object(p);\n", "TSAN_OPTIONS=suppressions=x\n"):
            self.check(rules.text_problems, "runtime/base/a.cc", text, False)
        self.check(rules.text_problems, "runtime/base/a.cc", "__sanitizer_print_stack_trace();\n", True)

    def test_every_folder_of_tests_is_listed(self):
        paths = ["tests/a/meson.build", "tests/b/meson.build", "tests/c/x.cc", "tests/meson.build"]
        self.assertEqual(check_repository.unlisted_areas(paths, "areas = ['a', 'x']"), ["b"])


if __name__ == "__main__":
    unittest.main()
