/* Tells ThreadSanitizer which descriptors are one and the same.
 *
 * What a thread did before it adds a descriptor to an epoll instance comes before what another does after it was
 * told of an event. The sanitizer knows that, and keeps it with the number of the epoll descriptor. tokio waits at
 * one descriptor and adds through another, which `fcntl` has made of the first; and of the calls that make a
 * descriptor of another the sanitizer looks at `dup`, `dup2` and `dup3` only. So it is shown a `dup3` besides, which
 * changes nothing: the new descriptor, which nobody else knows yet, becomes once more what it is. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

typedef int call(int, int, ...);

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    call *original = (call *)dlsym(RTLD_NEXT, "fcntl");
    int result = original(fd, command, argument);
    if (command == F_DUPFD_CLOEXEC && result >= 0) {
        dup3(fd, result, O_CLOEXEC);
    }
    return result;
}
