# SPDX-License-Identifier: Apache-2.0
"""Each check of this folder rejects what it is there for."""
import os
import shutil
import tempfile
import unittest

import check_dynamic
import check_headers
import check_layout
import check_symbols
import header

GOOD = """
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
typedef int32_t geeps_status;
typedef struct geeps_view { uint32_t struct_size; uint32_t flags; void *data; void (*log)(void *user, int32_t a); char text[4]; uint8_t rest[4]; } geeps_view;
/* [serial per runtime] [blocks] Waits. */
GEEPS_API geeps_status geeps_read(geeps_runtime *rt, uint64_t limit_ns,
                                  geeps_view *out);
"""


class HeaderTest(unittest.TestCase):
    def test_functions_and_structs_are_read(self):
        self.assertEqual([(n, p) for n, p, _ in header.functions(GOOD)],
                         [("geeps_read", "geeps_runtime *rt, uint64_t limit_ns, geeps_view *out")])
        self.assertEqual(header.structs(GOOD),
                         [("geeps_view", ["struct_size", "flags", "data", "log", "text", "rest"])])
        self.assertEqual(header.typedefs(GOOD), ["geeps_status"])

    def test_a_good_header_has_no_problem(self):
        self.assertEqual(header.tag_problems(GOOD) + header.rule_problems(GOOD), [])

    def assert_tags_rejected(self, old, new):
        self.assertNotEqual(header.tag_problems(GOOD.replace(old, new)), [], new)

    def test_wrong_tags_are_rejected(self):
        self.assert_tags_rejected("/* [serial per runtime] [blocks] Waits. */", "")
        self.assert_tags_rejected("[serial per runtime] ", "")
        self.assert_tags_rejected("[serial per runtime]", "[any-thread] [serial per runtime]")
        self.assert_tags_rejected("[serial per runtime]", "[serial per moon]")
        self.assert_tags_rejected(" [blocks]", "")
        self.assert_tags_rejected("*/\nGEEPS_API", "*/\ntypedef int32_t geeps_x;\nGEEPS_API")

    def test_breaches_of_the_rules_are_rejected(self):
        for addition in ("#include <stdbool.h>", "enum geeps_e { GEEPS_A };", "void geeps_f(bool b);",
                         "void geeps_f(int32_t a, ...);", "typedef struct geeps_b { uint32_t a : 3; } geeps_b;",
                         "typedef struct own { uint32_t a; } own;", "typedef struct geeps_b { uint32_t a, b; } geeps_b;",
                         "typedef int32_t status;"):
            self.assertNotEqual(header.rule_problems(GOOD + addition), [], addition)


class CompileTest(unittest.TestCase):
    def problem(self, text, command, version):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.h")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            return check_headers.compile_problem(command, version, check_headers.source_for(path), folder, folder)

    def test_padding_missing_guards_and_missing_includes_are_rejected(self):
        guard = "#ifndef X_H\n#define X_H\n#include <stdint.h>\n{}\n#endif\n"
        padded = guard.format("typedef struct geeps_x { uint8_t a; uint64_t b; } geeps_x;")
        good = guard.format("typedef struct geeps_x { uint64_t a; uint64_t b; } geeps_x;")
        for command, is_cpp in check_headers.compilers():
            version = "c++11" if is_cpp else "c99"
            self.assertIsNone(self.problem(good, command, version), command)
            self.assertRegex(self.problem(padded, command, version) or "", "pad", command)
            self.assertIsNotNone(self.problem(good.replace("#define X_H", ""), command, version), command)
            self.assertIsNotNone(self.problem(good.replace("#include <stdint.h>", ""), command, version), command)


class SymbolTest(unittest.TestCase):
    MAP = "/* x */ GEEPS_0 {\n global:\n geeps_a;\n geeps_b;\n local:\n *;\n};\n"

    def test_a_map_is_read(self):
        self.assertEqual(check_symbols.map_names(self.MAP), (["geeps_a", "geeps_b"], []))

    def test_patterns_and_other_nodes_are_rejected(self):
        self.assertTrue(check_symbols.map_names(self.MAP.replace("geeps_b", "geeps_*"))[1])
        self.assertTrue(check_symbols.map_names(self.MAP.replace("GEEPS_0", "OTHER"))[1])
        self.assertTrue(check_symbols.map_names(self.MAP.replace("local:\n *;", ""))[1])

    def test_differences_are_found_in_both_directions(self):
        self.assertEqual(check_symbols.differences("a", ["x"], "b", ["x"]), [])
        self.assertEqual(len(check_symbols.differences("a", ["x", "y"], "b", ["x", "z"])), 2)


class DynamicTest(unittest.TestCase):
    GOOD = {"NEEDED": ["libc.so.6", "libabsl_status.so.20220623"], "SONAME": ["libgeeps.so.0"], "FLAGS_1": ["NOW NODELETE"]}

    def test_foreign_libraries_are_rejected(self):
        self.assertEqual(check_dynamic.library_problems(self.GOOD), [])
        for bad in ({"NEEDED": ["libcuda.so.1"]}, {"SONAME": ["libgeeps.so"]}, {"FLAGS_1": []}, {"TEXTREL": ["0"]}):
            self.assertEqual(len(check_dynamic.library_problems({**self.GOOD, **bad})), 1, bad)

    def test_plugins_that_need_or_export_more_are_rejected(self):
        query = {"geeps_plugin_query": ""}
        self.assertEqual(check_dynamic.plugin_problems({"NEEDED": ["libz.so.1"]}, query, ["libz.so.1"]), [])
        self.assertEqual(len(check_dynamic.plugin_problems({"NEEDED": ["libz.so.1"]}, query, [])), 1)
        self.assertEqual(len(check_dynamic.plugin_problems({"NEEDED": ["libgeeps.so.0"]}, query, [])), 1)
        self.assertEqual(len(check_dynamic.plugin_problems({}, {"geeps_plugin_query": "", "_ZSt3x": ""}, [])), 1)
        self.assertEqual(len(check_dynamic.plugin_problems({}, {}, [])), 1)


class LayoutTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("cc"), "no compiler cc")
    def test_moved_members_and_renumbered_constants_change_the_table(self):
        text = ("#ifndef GEEPS_X_H\n#define GEEPS_X_H\n#include <stdint.h>\n#define GEEPS_N 7\n"
                "typedef struct geeps_x { uint32_t a; uint32_t b; } geeps_x;\n#endif\n")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "geeps_x.h")

            def table(content):
                with open(path, "w", encoding="utf-8") as f:
                    f.write(content)
                return check_layout.table(["cc"], [path])

            first = table(text)
            self.assertIn("struct geeps_x 8", first)
            self.assertIn("  4 4 b", first)
            self.assertIn("define GEEPS_N 7", first)
            self.assertNotEqual(first, table(text.replace("uint32_t a; uint32_t b;", "uint32_t b; uint32_t a;")))
            self.assertNotEqual(first, table(text.replace("GEEPS_N 7", "GEEPS_N 8")))
            self.assertIn("define own", table(text.replace("#define GEEPS_N", "#define own\n#define GEEPS_N")))


if __name__ == "__main__":
    unittest.main()
