/*
 * applets.c - cat, echo, ls, mount, ps and the like: small, without options beyond the obvious.
 */
#define _GNU_SOURCE
#include "user/applets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int complain(const char *who, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", who, what, strerror(errno));
	return 1;
}

/* Calls one(file, name) for each operand, or for standard input if there is none. */
static int for_each_file(int argc, char **argv, int first, int (*one)(FILE *, const char *))
{
	int status = 0;

	if (first >= argc)
		return one(stdin, "-");
	for (int i = first; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");

		if (!f) {
			status = complain(argv[0], argv[i]);
			continue;
		}
		status |= one(f, argv[i]);
		fclose(f);
	}
	return status;
}

static int cat_one(FILE *f, const char *name)
{
	char buf[4096];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		if (fwrite(buf, 1, n, stdout) != n)
			return 1;
	return ferror(f) ? complain("cat", name) : 0;
}

static int cat_main(int argc, char **argv)
{
	return for_each_file(argc, argv, 1, cat_one);
}

static int wc_one(FILE *f, const char *name)
{
	unsigned long lines = 0, words = 0, bytes = 0;
	bool in_word = false;
	int c;

	while ((c = getc(f)) != EOF) {
		bytes++;
		lines += c == '\n';
		words += !isspace(c) && !in_word;
		in_word = !isspace(c);
	}
	printf("%lu %lu %lu %s\n", lines, words, bytes, name);
	return 0;
}

static int wc_main(int argc, char **argv)
{
	return for_each_file(argc, argv, 1, wc_one);
}

static long line_limit;

static int head_one(FILE *f, const char *name)
{
	char line[1024];

	(void)name;
	for (long n = 0; n < line_limit && fgets(line, sizeof(line), f); n++)
		fputs(line, stdout);
	return 0;
}

static int tail_one(FILE *f, const char *name)
{
	static char ring[100][1024];
	long n = 0;

	(void)name;
	if (line_limit > 100)
		line_limit = 100;
	while (fgets(ring[n % 100], sizeof(ring[0]), f))
		n++;
	for (long i = n > line_limit ? n - line_limit : 0; i < n; i++)
		fputs(ring[i % 100], stdout);
	return 0;
}

static int head_main(int argc, char **argv)
{
	bool given = argc > 1 && argv[1][0] == '-';

	line_limit = given ? labs(atol(argv[1])) : 10;
	return for_each_file(argc, argv, given ? 2 : 1, strcmp(argv[0], "tail") ? head_one : tail_one);
}

static const char *pattern;
static bool matched;

static int grep_one(FILE *f, const char *name)
{
	char line[1024];

	(void)name;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, pattern)) {
			matched = true;
			fputs(line, stdout);
		}
	return 0;
}

/* Plain strings only. */
static int grep_main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	pattern = argv[1];
	matched = false;
	for_each_file(argc, argv, 2, grep_one);
	return !matched;
}

static void ls_entry(const char *path, const char *name, bool longer)
{
	static const char types[] = "?pc?d?b?-?l?s???";
	struct stat st;

	if (!longer) {
		printf("%s\n", name);
		return;
	}
	if (lstat(path, &st)) {
		complain("ls", path);
		return;
	}
	putchar(types[st.st_mode >> 12 & 15]);
	for (int bit = 8; bit >= 0; bit--)
		putchar(st.st_mode & 1u << bit ? "xwr"[bit % 3] : '-');
	printf(" %3lu %8lld %s\n", (unsigned long)st.st_nlink, (long long)st.st_size, name);
}

static int ls_one(const char *path, bool longer)
{
	struct dirent **list;
	struct stat st;
	int n;

	if (stat(path, &st))
		return complain("ls", path);
	if (!S_ISDIR(st.st_mode)) {
		ls_entry(path, path, longer);
		return 0;
	}
	n = scandir(path, &list, NULL, alphasort);
	if (n < 0)
		return complain("ls", path);
	for (int i = 0; i < n; i++) {
		char full[4352];

		snprintf(full, sizeof(full), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.')
			ls_entry(full, list[i]->d_name, longer);
		free(list[i]);
	}
	free(list);
	return 0;
}

static int ls_main(int argc, char **argv)
{
	bool longer = argc > 1 && !strcmp(argv[1], "-l");
	int status = 0, first = longer ? 2 : 1;

	if (first >= argc)
		return ls_one(".", longer);
	for (int i = first; i < argc; i++)
		status |= ls_one(argv[i], longer);
	return status;
}

static int mount_main(int argc, char **argv)
{
	if (argc == 1) {
		static char source[256], where[256], type[64], options[256];
		FILE *f = fopen("/proc/mounts", "r");

		while (f && fscanf(f, "%255s %255s %63s %255s %*d %*d", source, where, type, options) == 4)
			printf("%s on %s type %s (%s)\n", source, where, type, options);
		if (f)
			fclose(f);
		return !f;
	}
	if (argc != 5 || strcmp(argv[1], "-t")) {
		fprintf(stderr, "usage: mount [-t TYPE DEVICE DIR]\n");
		return 2;
	}
	return mount(argv[3], argv[4], argv[2], 0, NULL) ? complain("mount", argv[4]) : 0;
}

static int umount_main(int argc, char **argv)
{
	return argc == 2 && !umount(argv[1]) ? 0 : complain("umount", argc > 1 ? argv[1] : "?");
}

static int ps_main(int argc, char **argv)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	(void)argc;
	(void)argv;
	printf("  PID  PPID S COMMAND\n");
	while (d && (e = readdir(d)) != NULL) {
		char path[300], name[64], state;
		int pid, ppid;
		FILE *f;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = fopen(path, "r");
		if (f && fscanf(f, "%d (%63[^)]) %c %d", &pid, name, &state, &ppid) == 4)
			printf("%5d %5d %c %s\n", pid, ppid, state, name);
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return !d;
}

static int sleep_main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 0;
	struct timespec ts = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	return nanosleep(&ts, NULL) ? 1 : 0;
}

/* mkdir, rmdir, rm, touch: one call for each operand. */
static int each_main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++) {
		int bad;

		if (!strcmp(argv[0], "mkdir")) {
			bad = mkdir(argv[i], 0777);
		} else if (!strcmp(argv[0], "rmdir")) {
			bad = rmdir(argv[i]);
		} else if (!strcmp(argv[0], "rm")) {
			bad = unlink(argv[i]);
		} else {
			bad = open(argv[i], O_WRONLY | O_CREAT, 0666);
			if (bad >= 0)
				bad = close(bad);
		}
		if (bad < 0)
			status = complain(argv[0], argv[i]);
	}
	return status;
}

static int uname_main(int argc, char **argv)
{
	struct utsname u;

	(void)argc;
	(void)argv;
	if (uname(&u))
		return 1;
	printf("%s %s %s %s %s\n", u.sysname, u.nodename, u.release, u.version, u.machine);
	return 0;
}

static int sync_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	sync();
	return 0;
}

static const struct {
	const char *name;
	applet_fn *fn;
} applets[] = {
	{"cat", cat_main},    {"grep", grep_main},     {"head", head_main},   {"ls", ls_main},
	{"mkdir", each_main}, {"mount", mount_main},   {"ps", ps_main},       {"rm", each_main},
	{"rmdir", each_main}, {"sleep", sleep_main},   {"sync", sync_main},   {"tail", head_main},
	{"touch", each_main}, {"umount", umount_main}, {"uname", uname_main}, {"wc", wc_main},
};

applet_fn *applet_find(const char *name)
{
	for (size_t i = 0; i < sizeof(applets) / sizeof(*applets); i++)
		if (!strcmp(applets[i].name, name))
			return applets[i].fn;
	return NULL;
}
