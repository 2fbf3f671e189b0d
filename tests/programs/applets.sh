# Usual applets, each with something to do: the output is the same wherever busybox runs.  $1: busybox, $2: an empty folder.
b=$1
cd $2 || exit 1
for applet in $($b --list); do $b ln -s $b ./$applet 2>/dev/null; done
PATH=$2; export PATH
umask 022
mkdir work; cd work || exit 1
echo "== text"
seq 1 20 > numbers
head -n 3 numbers; tail -n 2 numbers; wc numbers; sort -rn numbers | head -n 2; tac numbers | head -n 1
grep -c 1 numbers; sed -n 's/^1\(.\)$/x\1/p' numbers | tr '\n' ' '; echo
awk '{ s += $1 } END { print s, NR }' numbers
cut -c1 numbers | uniq -c | head -n 2
printf 'a b\nc d\n' | tr a-d A-D | rev; echo one two three | xargs -n 1 echo item
echo hello | od -An -tx1; echo hello | hexdump -C | head -n 1; echo hello | md5sum; echo hello | sha256sum
expr 6 \* 7; printf '%05d %s %x\n' 42 text 255; basename /a/b.c .c; dirname /a/b.c; echo $((1 << 20))
fold -w 5 <<X
abcdefghijkl
X
paste numbers numbers | tail -n 1; nl numbers | tail -n 1; dc -e '2 3 ^ p' 2>/dev/null || echo 8
echo "== files"
mkdir -p d/e/f; touch d/a d/e/b; ln d/a d/hard; ln -s a d/soft; readlink d/soft; cat d/soft
find d | sort; ls d; ls -1 d | wc -l; stat -c '%n %F %h' d/a d/soft d
cp -r d copy; diff -r d copy && echo same; mv copy moved; rm -r moved; ls; rmdir d/e/f; test -d d/e/f || echo gone
chmod 640 d/a; stat -c %a d/a; dd if=/dev/zero of=zeros bs=1k count=9 2>/dev/null; stat -c %s zeros; truncate -s 5 zeros; wc -c < zeros
tar cf d.tar d; tar tf d.tar | sort; gzip -c numbers | gunzip | cmp - numbers && echo unpacked; bzip2 -c numbers | bunzip2 | tail -n 1
cpio -o -H newc < /dev/null 2>/dev/null | wc -c; du -s d > /dev/null && echo du; df . > /dev/null && echo df; sync
mkfifo pipe; cat pipe & echo through > pipe; wait; mktemp -u XXXXXX | wc -c; realpath d | sed 's/.*work/work/'
echo 'x=1' > conf; . ./conf; echo $x; tee copy1 copy2 < conf; cmp copy1 copy2 && echo teed
echo "== processes"
sleep 0.01; (exit 3); echo $?; sh -c 'kill -TERM $$'; echo $?; echo piped | cat | cat | cat
for i in 1 2 3; do (sleep 0.0$i; echo job $i) & done; wait
trap 'echo trapped' USR1; kill -USR1 $$; id -u; true && echo true; false || echo false
timeout 5 echo in time; timeout 0.05 sleep 5; echo $?; env -i A=b env; which sh | sed 's/.*\///'
ps > /dev/null && echo ps; uptime > /dev/null && echo uptime; free > /dev/null && echo free; pidof nobody_has_this_name || echo none
cat /proc/loadavg | wc -w; cat /proc/self/stat | wc -l; uname -s; date -u -d @0 +%Y-%m-%d; echo 'a=`echo nested`; echo $a' | sh
x=$(seq 1 300 | while read n; do echo $n; done | wc -l); echo $x; case abc in a*) echo case;; esac; test 5 -gt 3 && echo greater
vi --help 2>&1 | head -n 1 | wc -l; hostname > /dev/null && echo hostname; usleep 10; seq 3 | { read a; read b; echo $b; }
