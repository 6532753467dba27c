"""Patterns of what only a crash prints: a panic, an uncaught exception, a traceback.

Each is matched where a message may begin, never inside one.
"""

from __future__ import annotations

from hour24.lines.printed import line_pattern as _at

CRASH = _at(
    r"panic: |fatal error: |Traceback \(most recent call last\)|thread '[^']{0,200}+' "
    r"(?:\(\d+\) )?panicked at|Exception in thread |Exception: |Unhandled exception"
    r"|Uncaught |\(node:\d+\) (?:UnhandledPromiseRejection|\[?[A-Z_0-9]*\]? ?[A-Z]\w*Error)"
    r"|\[?UnhandledPromiseRejection|[Uu]nhandled [Rr]ejection|[Uu]nhandled promise rejection"
    r"|(?:triggerU|u)ncaughtException|Error: |Error \[[A-Z_0-9]+\]: |error: |Caused by: |npm ERR!"
    r"|npm error |PHP (?:Fatal|Parse|Recoverable fatal) error: |(?:PHP )?Fatal error: "
    r"|Fatal Python error: |FATAL ERROR: |terminate called |Segmentation fault|::error|##\[error\]"
    r"|http: panic serving |\*\*\* (?:Error|buffer overflow|stack smashing)|Unhandled Exception: "
    r"|(?:[A-Za-z_$][\w$]{0,60}+(?:\.|::|:(?=\w))){0,12}+[A-Z][\w$]{0,60}?"
    r"(?:Error|Exception)(?: \[[A-Z_0-9]+\])?: "
    r"|\S{1,200}+: (?:[a-z]{1,20}+: )?line \d+: .{0,200}?(?:command not found|No such file)"
    r"|(?:[a-z]\w{0,40}+\.){1,12}+[A-Z]\w{0,60}?(?:Error|Exception)$"
    r"|[A-Z]\w{0,60}(?:::\w{1,60}){0,8}(?:Error|Exception|NotFound|Invalid) \(.{0,2000}\):$"
    r"|\[(?:[A-Z]\w{0,60}?)?Error(?: \[[A-Z_0-9]+\])?: |AggregateError \[[A-Z_0-9]+\]:"
    r"|\S{1,200}:\d{1,7}:in [`'].{1,200}?': .{0,2000}\([A-Z][\w:]{0,100}\)$|! Unable to load app"
    r"|#<Thread:.{1,200}? terminated with exception|bundler: failed to load command: |Rack app "
    r"|\*\* \((?:[A-Z][\w.]{0,100}Error|EXIT from .{1,60}?|exit|stop|throw|Mix)\) "
    r"|RequestId: \S{1,60} (?:Error: |Process exited before )|Task timed out after \d[\d.]* seconds"
    r"|(?:Task|Future) exception was never retrieved|Internal Server Error: /|Error [RHL]\d\d \("
    r"|(?:Memory cgroup out|Out) of memory: Kill|fatal runtime error: "
    r"|memory allocation of \d{1,20} bytes failed"
    r"|\S{1,100}\.service: Failed with result '|# A fatal error has been detected by |log4j:ERROR "
    r"|==\d{1,9}==\s?ERROR: "
    r"|ActiveRecord::\w+|[A-Z]\w*(?:::[A-Z]\w*)+(?:Error|Exception)?\b: "
    r"|exception: |uncaught exception"
)
LOWER_CRASH = _at(r"PHP (?:Warning|Notice|Deprecated|Strict Standards): |npm (?:WARN|warn|notice) ")
