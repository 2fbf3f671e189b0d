/*
 * tty_lite.c - what a shell needs of the console's line discipline, as far as one can test without a typist.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static int console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0 || !isatty(fd))
		SKIP("no /dev/console that is a terminal");
	signal(SIGTTOU, SIG_IGN); /* a test is a background job */
	return fd;
}

TEST(tty_attrs, "tty.attributes can be read, set and restored")
{
	int fd = console();
	struct termios old, now;

	CHECK_OK(tcgetattr(fd, &old));
	now = old;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_cc[VMIN] = 0;
	now.c_cc[VTIME] = 1;
	CHECK_OK(tcsetattr(fd, TCSANOW, &now));
	CHECK_OK(tcgetattr(fd, &now));
	CHECK(!(now.c_lflag & (ICANON | ECHO)));
	CHECK_EQ(now.c_cc[VTIME], 1);
	CHECK_OK(tcsetattr(fd, TCSADRAIN, &old));
}

TEST(tty_winsize, "tty.winsize")
{
	int fd = console();
	struct winsize ws;

	CHECK_OK(ioctl(fd, TIOCGWINSZ, &ws));
	CHECK_ERRNO(ioctl(fd, TIOCGWINSZ, 8), EFAULT);
	CHECK_ERRNO(ioctl(fd, 0x1234567, 0), ENOTTY);
}

TEST(tty_notty, "tty.ENOTTY for other files")
{
	int fd = tagged_memfd(1), fds[2];
	struct termios t;

	CHECK_OK(pipe(fds));
	CHECK_ERRNO(tcgetattr(fd, &t), ENOTTY);
	CHECK_ERRNO(tcgetattr(fds[0], &t), ENOTTY);
	CHECK_ERRNO(tcgetattr(CHECK_OK(open("/dev/null", O_RDWR)), &t), ENOTTY);
}
