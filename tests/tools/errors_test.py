# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md against the sources, and the tool that finds texts in them.

usage: errors_test.py ROOT
"""
import os
import subprocess
import sys
import unittest

ROOT = sys.argv.pop(1)
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))
sys.dont_write_bytecode = True

import error_causes  # noqa: E402
import error_document  # noqa: E402
import error_texts  # noqa: E402


def texts(source, path="runtime/x/y.cc"):
    return [(t.code, t.skeleton) for t in error_texts.File(path, source).find_texts()]


def explain(*words):
    return subprocess.run([os.path.join(ROOT, "tools", "errors"), *words], text=True, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(ROOT, error_document.PATH), encoding="utf-8") as f:
            cls.document = f.read()

    def test_it_holds_every_text_of_the_sources_and_no_other(self):
        found = error_document.problems(ROOT, self.document)
        self.assertEqual(found, [], "\n" + "\n".join(found) + "\ntools/errors --write makes it right")

    def test_a_text_that_is_taken_out_is_missed_and_one_that_is_put_in_is_seen(self):
        code, text = error_document.entries(self.document)[7]
        without = self.document.replace(f"* `{text}`\n", "", 1)
        self.assertEqual(error_document.problems(ROOT, without), [f"missing in docs/errors.md: {code}: {text}"])
        more = self.document.replace(f"* `{text}`\n", f"* `{text}`\n* `the moon is … away`\n", 1)
        self.assertEqual(error_document.problems(ROOT, more),
                         [f"in docs/errors.md, but not in the sources: {code}: the moon is … away"])

    def test_an_explanation_that_was_changed_by_hand_is_seen(self):
        self.assertEqual(len(error_document.problems(ROOT, self.document.replace("*Usual cause:*", "*Cause:*", 1))), 1)

    def test_every_text_has_an_explanation_and_every_code_one_of_the_header(self):
        causes = error_causes.load()
        groups, orphans = error_causes.assign(error_texts.collect(ROOT), causes)
        self.assertEqual(orphans, [])
        self.assertGreater(sum(len(members) for _, members in groups), 400)
        known = {name for name, _, _ in error_document.codes(ROOT)} | {error_texts.ANY}
        self.assertEqual(len(known), 18)
        self.assertEqual({cause.code for cause in causes} - known, set())


class Search(unittest.TestCase):
    def test_a_pasted_sentence_finds_its_text_first(self):
        sentences = {
            "rank 1 (host a, pid 41) was lost at clock 5: nothing was heard from it for 1004 ms, the limit is 1000 ms":
                "A worker is gone",
            "table conv1: option param.lr = x: wanted a number": "An option of a table",
            "the pass is not complete: the update of operation 3 is due": "A call out of the plan's order",
            "rank 0 (host a, pid 1) entered a fence at clock 3, but rank 1 (host b, pid 2) is already at clock 4: all workers must "
            "end the same number of clocks": "The workers stand at different clocks, or in different calls",
        }
        for sentence, title in sentences.items():
            done = explain(sentence)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual(done.stdout.split("\n")[1].split(None, 1), ["group", title], done.stdout)

    def test_words_alone_find_what_shares_them(self):
        done = explain("geeps_commit first, no plan committed")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("no plan is committed: geeps_commit comes first", done.stdout.split("\n")[0])

    def test_what_no_text_looks_like_is_not_explained(self):
        done = explain("quux")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no text of this release", done.stdout)

    def test_two_questions_at_once_are_refused(self):
        self.assertEqual(explain("--check", "sentence").returncode, 2)


class Finder(unittest.TestCase):
    def test_constants_stay_and_the_rest_is_a_place(self):
        self.assertEqual(texts('return Invalid("row ", row, " of ", table.num_rows(), " rows");'),
                         [("GEEPS_E_INVALID", "row … of … rows")])

    def test_pieces_of_a_constant_and_joined_constants_are_one(self):
        self.assertEqual(texts('return MakeStatus(Code::kPeerLost, absl::StrCat("a ", "b" " c", x, y));'),
                         [("GEEPS_E_PEER_LOST", "a b c…")])

    def test_a_choice_gives_a_text_for_each(self):
        self.assertEqual(texts('return Internal("it is ", late ? "late" : absl::StrCat("at ", t), "!");'),
                         [("GEEPS_E_INTERNAL", "it is late!"), ("GEEPS_E_INTERNAL", "it is at …!")])

    def test_a_table_of_constants_gives_a_text_for_each(self):
        source = 'static constexpr const char* kNames[] = {"one", "two"};\nreturn BadData("no ", kNames[i]);'
        self.assertEqual(texts(source), [("GEEPS_E_DATA", "no one"), ("GEEPS_E_DATA", "no two")])

    def test_a_named_constant_is_its_text(self):
        self.assertEqual(texts('constexpr char kWhy[] = "for a reason";\nreturn NotFound(name, " is gone ", kWhy);'),
                         [("GEEPS_E_NOT_FOUND", "… is gone for a reason")])

    def test_a_variable_gives_what_the_function_assigns_to_it_and_no_other_function(self):
        source = ('void f() {\n  std::string text = "elsewhere";\n}\nvoid g() {\n  std::string text;\n  if (a) {\n'
                  '    text = absl::StrCat("x ", a);\n  } else {\n    text = "y";\n  }\n'
                  '  Reject(MakeCause(Code::kMismatch, 1, 2, std::move(text)));\n}\n')
        self.assertEqual(sorted(texts(source)), [("GEEPS_E_MISMATCH", "x …"), ("GEEPS_E_MISMATCH", "y")])

    def test_the_code_of_a_detail_is_the_one_that_it_was_given_last(self):
        source = ('void f() {\n  StatusDetail detail;\n  detail.code = Code::kData;\n  detail.code = Code::kTimeout;\n'
                  '  Down(MakeStatus(detail, "too late"));\n}\n')
        self.assertEqual(texts(source), [("GEEPS_E_TIMEOUT", "too late")])
        self.assertEqual(texts(source.replace("Code::kTimeout", "a < 0 ? b : Code::kTimeout")), [("any", "too late")])

    def test_comments_declarations_and_directives_are_no_calls(self):
        source = ('// Invalid("comment")\n/* Invalid("comment") */\n#define X Invalid("macro")\nabsl::Status Invalid(const Args&... args) '
                  '{ return ok; }\nconst char* s = "Invalid(text)";\n')
        self.assertEqual(texts(source), [])

    def test_plugins_make_statuses_of_their_own(self):
        self.assertEqual(texts('return SetError(err, GEEPS_E_IO, errno, "no socket: " + ErrnoText(errno));', "transports/tcp/a.cc"),
                         [("GEEPS_E_IO", "no socket: …")])
        self.assertEqual(texts('return Status(GEEPS_E_NOMEM, path + ": no memory");', "plugins/idx/a.cc"),
                         [("GEEPS_E_NOMEM", "…: no memory")])
        self.assertEqual(texts('return Status(GEEPS_END, "");', "plugins/idx/a.cc"), [])

    def test_texts_that_functions_of_a_plugin_return_are_found_with_the_code_that_goes_with_them(self):
        source = ('std::string CheckSupported(int a) {\n  if (a) return Text("rule ", a);\n  return "";\n}\n'
                  'std::string Check(int a, int* code) {\n  *code = GEEPS_E_NOMEM;\n  if (a) return "early";\n'
                  '  *code = GEEPS_E_INVALID;\n  return a ? "one" : Text("other ", a);\n}\n'
                  'std::string Plain() {\n  return "plain";\n}\n')
        self.assertEqual(texts(source, "plugins/cuda/check_apply.cc"),
                         [("GEEPS_E_UNSUPPORTED", "rule …"), ("GEEPS_E_NOMEM", "early"), ("GEEPS_E_INVALID", "one"),
                          ("GEEPS_E_INVALID", "other …"), ("GEEPS_E_INVALID", "plain")])
        self.assertEqual(texts(source), [])

    def test_a_text_that_nothing_is_known_about_is_an_error(self):
        with self.assertRaisesRegex(error_texts.Unreadable, "runtime/x/y.cc:2: the text given to Invalid holds no constant"):
            texts("\nreturn Invalid(text);")

    def test_a_status_that_is_made_another_way_is_an_error(self):
        with self.assertRaisesRegex(error_texts.Unreadable, "absl::NotFoundError makes a status"):
            texts('return absl::NotFoundError("x");')


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
