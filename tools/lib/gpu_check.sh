#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the GPU of this machine with what lies beside this script, and writes what it finds into a file after every
# section. A script for any POSIX shell, with coreutils' timeout: these are there wherever a driver is, it can be read
# before it is run, and it outlives every program that it starts.
set -u

here=$(cd "$(dirname "$0")" && pwd)

fact() { sed -n "s/^$1=//p" "$here/pack.txt" | head -n 1; }

usage() {
  cat <<END
usage: gpu-check [--quick] [--out FILE] [--own-c-library]

Checks the GPU of this machine (the first one; CUDA_VISIBLE_DEVICES=N chooses another) and writes gpu-NAME.md into the
current folder, anew after every section: one that is interrupted leaves what it has. Takes at most 8 minutes.

  --quick          at most 2 minutes: fewer seeds, one tool of compute-sanitizer, fewer samples
  --out FILE       writes this file instead
  --own-c-library  uses the C library of the pack; by itself it does so where that of the system is older

Needs the driver; train_images also cuBLAS; compute-sanitizer is used where it is found.

Exit code: 0; 1 when a section failed; 2 when the command line is wrong; 130 when interrupted.

example: ./gpu-check --quick
END
}

# ---- programs of the pack ----------------------------------------------------------------------------------------

libraries=$here/lib
if [ "$(fact fake)" = 1 ]; then libraries=$here/lib:$here/lib/fake; fi
if [ -n "${LD_LIBRARY_PATH:-}" ]; then libraries=$libraries:$LD_LIBRARY_PATH; fi
loader=$here/lib/c/$(fact loader)
module=$here/lib/geeps/plugins/geeps_device_cuda.so

# program NAME ARGUMENTS: runs it.
program() {
  name=$1
  shift
  if [ "$own_c" = 1 ]; then
    LD_LIBRARY_PATH=$libraries "$loader" --library-path "$libraries:$here/lib/c" "$here/bin/$name" "$@"
  else
    LD_LIBRARY_PATH=$libraries "$here/bin/$name" "$@"
  fi
}

# Shows a command, and runs it.
show() {
  shown=$*
  echo "\$ ${shown#program }"
  "$@"
}

# What the driver has.
section_info() { program geeps info; }

# ---- sections: each runs in a shell of its own. Exit code 77: it does not apply; the last line says why ----------

section_machine() {
  uname -srm
  echo "C library: $(getconf GNU_LIBC_VERSION 2>/dev/null || echo unknown), of the pack: $(fact c_library)$(
    [ "$own_c" = 1 ] && echo ', which is used')"
  sed -n 's/^model name[[:space:]]*: */CPU: /p' /proc/cpuinfo | head -n 1
  show program geeps info || return 1
  if command -v nvidia-smi >/dev/null 2>&1; then
    show nvidia-smi --format=csv \
      --query-gpu=name,driver_version,memory.total,memory.used,clocks.max.sm,clocks.max.memory,clocks.sm,clocks.memory,power.limit,compute_mode,ecc.mode.current
  else
    echo "nvidia-smi: not found"
  fi
  for library in libcudart libcublas libcublasLt libcurand libnvrtc; do
    found=$({
      ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null
    } | sed -n "s|.*=> \(/.*/$library\.so\.[0-9.]*\)\$|\1|p")
    for folder in /usr/local/cuda*/lib64 /usr/local/cuda*/targets/*/lib; do
      for file in "$folder/$library".so.*; do
        if [ -e "$file" ]; then found="$found $file"; fi
      done
    done
    # shellcheck disable=SC2086  # words
    set -- $found
    echo "$library: ${1:-not found}"
  done
  echo "compute-sanitizer: $(sanitizer || echo 'not found')"
  program geeps info | grep -q '^ *cuda:0 ' || {
    echo "no device can be used: see the line cuda above"
    return 1
  }
}

section_contract() {
  if [ "$(fact fake)" = 1 ]; then seconds=1; elif [ "$quick" = 1 ]; then seconds=7; else seconds=40; fi
  show program device_contract "$module" 1-1000 --seconds $seconds
}

sanitizer() {
  for folder in $(echo "$PATH" | tr ':' ' ') /usr/local/cuda/bin /usr/local/cuda/compute-sanitizer; do
    if [ -x "$folder/compute-sanitizer" ]; then
      echo "$folder/compute-sanitizer"
      return 0
    fi
  done
  return 1
}

# section_sanitizer TOOL
section_sanitizer() {
  found=$(sanitizer) || {
    echo "compute-sanitizer was not found"
    return 77
  }
  if [ "$quick" = 1 ] && [ "$1" != memcheck ]; then
    echo "--quick runs memcheck alone"
    return 77
  fi
  # Cases that launch kernels: these tools make a start of a device slow.
  if [ "$quick" = 1 ]; then only=reference; else only='rows|reference|queue'; fi
  echo "\$ compute-sanitizer --tool $1 --error-exitcode 9 device_contract $module 1 --only '$only'"
  if [ "$own_c" = 1 ]; then
    LD_LIBRARY_PATH=$libraries "$found" --tool "$1" --error-exitcode 9 "$loader" --library-path \
      "$libraries:$here/lib/c" "$here/bin/device_contract" "$module" 1 --only "$only"
  else
    LD_LIBRARY_PATH=$libraries "$found" --tool "$1" --error-exitcode 9 "$here/bin/device_contract" "$module" 1 --only "$only"
  fi
}

section_hello() {
  echo "\$ geeps run -n 2 hello"
  if [ "$own_c" = 1 ]; then
    program geeps run -n 2 "$loader" --library-path "$libraries:$here/lib/c" "$here/bin/hello"
  else
    program geeps run -n 2 "$here/bin/hello"
  fi
}

# Drawn jobs, one after the other while there is time.
section_jobs() {
  if [ "$(fact fake)" = 1 ]; then seconds=1; elif [ "$quick" = 1 ]; then seconds=5; else seconds=40; fi
  end=$(($(date +%s) + seconds))
  first=1
  while [ "$(date +%s)" -lt "$end" ]; do
    show program device_jobs "$first" 1 "$module" || return 1
    first=$((first + 1))
  done
}

# number KEY < JSON
number() { sed -n "s/.*\"$1\": \([0-9.eE+-]*\).*/\1/p" | tail -n 1; }

# train NAME ARGUMENTS: trains; the last line goes to the file NAME.json, the parameters to NAME.bin.
train() {
  out=$work/$1
  shift
  show program train_images --data "$here/data" --launcher none --json --save "$out.bin" "$@" >"$out.txt" 2>&1
  code=$?
  cat "$out.txt"
  tail -n 1 "$out.txt" >"$out.json"
  return $code
}

section_training() {
  if [ ! -d "$here/data" ]; then
    echo "the pack holds no images: $(fact images)"
    return 77
  fi
  # Libraries that nothing else needs are compressed.
  mkdir -p "$work/lib"
  for file in "$here"/lib/training/*.gz; do
    if [ ! -e "$file" ]; then continue; fi
    gzip -dc "$file" >"$work/lib/$(basename "$file" .gz)" || return 1
  done
  libraries=$work/lib:$libraries
  program train_images --help | grep -q -e '--device' || {
    echo "train_images of this pack has no option --device"
    return 77
  }
  # The fake driver's words are separated by blanks, which the pack's path may have.
  if [ -e "$here/lib/fake/train_images_fake_kernels.so" ]; then
    ln -sf "$here/lib/fake/train_images_fake_kernels.so" "$work/kernels.so"
    GEEPS_FAKE_CUDA="kernels=$work/kernels.so"
    export GEEPS_FAKE_CUDA
  fi
  epochs=3
  if [ "$quick" = 1 ]; then epochs=1; fi
  set -- --epochs $epochs
  if [ "$(fact fake)" = 1 ]; then set -- --epochs 1 --batch 2 --limit-steps 2; fi
  echo "images: $(fact images)"
  train host "$@" || return 1
  train first "$@" --device cuda || return 1
  train second "$@" --device cuda || return 1
  train plain "$@" --device cuda --plain || return 1
  cmp "$work/first.bin" "$work/second.bin" || {
    echo "two runs on the device end with different parameters"
    return 1
  }
  host=$(number test_accuracy <"$work/host.json")
  device=$(number test_accuracy <"$work/first.json")
  echo "test accuracy: host $host, device $device; parameters of two runs on the device: the same bits"
  for name in host first second plain; do
    echo "images per second, $name: $(awk -v images="$(number images <"$work/$name.json")" \
      -v seconds="$(number seconds <"$work/$name.json")" 'BEGIN { if (seconds > 0) printf "%.0f", images / seconds }')"
  done
  # Sums are taken in another order, so accuracies differ a little; a net that does not learn differs by much more.
  awk -v a="$host" -v b="$device" 'BEGIN { exit !(a - b < 0.02) }' || {
    echo "the device's test accuracy is more than 0.02 below the host's"
    return 1
  }
}

section_bench() {
  set --
  if [ "$quick" = 1 ]; then set -- --bytes 2147483648 --samples 3; fi
  if [ "$(fact fake)" = 1 ]; then
    set -- --bytes 1048576 --samples 3 --sample-us 100 --work 6 --tables 20 --clocks 3
  fi
  show program geeps bench gpu --device "$module" "$@"
}

# ---- what runs the sections and writes the file ------------------------------------------------------------------

if [ "${1:-}" = --section ]; then
  quick=$2 own_c=$3 work=$4 name=$5
  shift 5
  "section_$name" "$@"
  exit
fi

quick=0 own_c=auto out=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --own-c-library) own_c=1 ;;
    --out)
      if [ $# -lt 2 ]; then
        echo "gpu-check: --out wants a file" >&2
        exit 2
      fi
      out=$2
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      echo "gpu-check: unknown argument '$1'; --help lists the options" >&2
      exit 2
      ;;
  esac
  shift
done

begun=$(date +%s)
if [ "$quick" = 1 ]; then total_s=115; else total_s=470; fi
if [ "$own_c" = auto ]; then
  own_c=0
  program geeps --version >/dev/null 2>&1 || own_c=1
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/gpu-check.XXXXXX") || exit 1
is_open=0      # whether a section is under way
last_child=    # of the sections before
section_number=0
num_failed=0
state="so far"

clean_up() { rm -rf "$work"; }

gpu=$(timeout -k 3 20 sh "$here/gpu-check" --section 0 $own_c "$work" info 2>/dev/null | sed -n 's/^ *cuda:0  *\(.*\), [0-9.]* [KMGT]*i*B; plugin.*/\1/p' | head -n 1)
if [ -z "$gpu" ]; then gpu="no GPU found"; fi
if [ -z "$out" ]; then
  out=gpu-$(echo "$gpu" | tr '[:upper:]' '[:lower:]' | tr -cs '[:alnum:]\n' '-' | sed 's/^-*//; s/-*$//').md
fi

# Rows of the overview, and the sections in full, as they have been added to these files.
write_document() {
  {
    echo '<!-- SPDX-License-Identifier: Apache-2.0 -->'
    if [ "$(fact fake)" = 1 ]; then
      echo "# The procedure on the fake driver: no figure of a GPU"
      echo
      echo "A fake CUDA driver ran this on the processor of the machine, to test the procedure. Its times say nothing about any GPU."
    else
      echo "# $gpu"
    fi
    echo
    echo "Written by gpu-check$([ "$quick" = 1 ] && echo ' --quick'), $(date -u '+%Y-%m-%d %H:%M UTC'), geeps $(fact version), commit $(
      fact commit), -O$(fact optimization). State: $state, $(($(date +%s) - begun)) s."
    echo
    echo "| section | result | seconds |"
    echo "|---|---|---|"
    cat "$work/overview" 2>/dev/null
    cat "$work/sections" 2>/dev/null
  } | sed "s|$(echo "$here" | sed 's/[][\\.*^$|]/\\&/g')|PACK|g; s|$work|WORK|g" >"$out.new" && mv "$out.new" "$out"
}

# add TITLE RESULT SECONDS LOG LINES
add() {
  echo "| $1 | $2 | $3 |" >>"$work/overview"
  {
    echo
    echo "## $1"
    echo
    echo "$2, $3 s"
    if [ -s "$4" ]; then
      echo
      echo '```'
      tail -n "$5" "$4" | cut -c 1-400
      echo '```'
    fi
  } >>"$work/sections"
  write_document
}

on_signal() {
  trap '' INT TERM HUP
  state=interrupted
  if [ "$is_open" = 1 ]; then
    if [ "${!:-}" != "$last_child" ]; then
      # Again after a second, and to the group that timeout leads: a signal that comes while programs start is lost.
      kill -s TERM "$!" 2>/dev/null
      sleep 1
      kill -s TERM "$!" "-$!" 2>/dev/null
      wait "$!" 2>/dev/null
      kill -s KILL "-$!" 2>/dev/null
    fi
    add "$title" "interrupted" $(($(date +%s) - section_begun)) "$log" 40
  else
    write_document
  fi
  echo
  echo "interrupted; $out holds what is there"
  clean_up
  exit 130
}
trap on_signal INT TERM HUP

# While a section runs, a terminal shows how long it has.
watch_child() {
  if [ -t 1 ]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\r%s %d s of %d ' "$head" $(($(date +%s) - section_begun)) "$limit"
      sleep 1
    done
    printf '\r'
  fi
  wait "$child"
}

# section LIMIT_S TITLE NAME ARGUMENTS
section() {
  limit=$1 title=$2
  shift 2
  section_number=$((section_number + 1))
  left=$((begun + total_s - $(date +%s)))
  if [ "$limit" -gt "$left" ]; then limit=$left; fi
  head=$(printf '[%2d/%2d] %-28s' "$section_number" 10 "$title")
  log=$work/log
  : >"$log"
  if [ "$limit" -lt 3 ]; then
    echo "$head not run: no time left"
    add "$title" "not run: no time left" 0 "$log" 0
    return
  fi
  section_begun=$(date +%s)
  is_open=1
  printf '%s' "$head"
  timeout -k 3 "$limit" sh "$here/gpu-check" --section "$quick" "$own_c" "$work" "$@" >"$log" 2>&1 </dev/null &
  child=$!
  watch_child
  code=$?
  is_open=0
  last_child=$child
  seconds=$(($(date +%s) - section_begun))
  lines=400
  case $code in
    0) result=PASS ;;
    77)
      result="not run: $(tail -n 1 "$log")"
      : >"$log"
      ;;
    124 | 137) result="FAIL: not done after its limit of $limit s" lines=60 ;;
    *) result="FAIL: exit code $code" lines=60 ;;
  esac
  case $result in FAIL*) num_failed=$((num_failed + 1)) ;; esac
  if [ -t 1 ]; then printf '%s' "$head"; fi
  printf ' %s, %d s%s\n' "$result" "$seconds" "$([ -t 1 ] && echo '          ')"
  case $result in FAIL*) tail -n 5 "$log" | sed 's/^/        /' ;; esac
  add "$title" "$result" "$seconds" "$log" "$lines"
}

# Limits of --quick, then of the whole check: all but the last together leave half of the time to the bench.
limit() { if [ "$quick" = 1 ]; then echo "$1"; else echo "$2"; fi; }

echo "$gpu: at most $(limit 2 8) minutes; $out"
write_document
section "$(limit 10 15)" "machine" machine
section "$(limit 15 60)" "device contract" contract
for tool in memcheck racecheck initcheck synccheck; do
  section "$(limit 12 25)" "$tool" sanitizer "$tool"
done
section 10 "two workers" hello
section "$(limit 20 60)" "drawn jobs" jobs
section "$(limit 25 60)" "train_images" training
section "$(limit 60 240)" "geeps bench gpu" bench

state="complete"
write_document
clean_up
if [ "$num_failed" -gt 0 ]; then
  echo "$num_failed sections failed; $out"
  exit 1
fi
echo "done: $out"
