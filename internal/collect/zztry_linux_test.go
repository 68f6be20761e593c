package collect
import ("testing";"context";"time";"github.com/selfaudit/selfaudit/internal/kernel";"fmt";"runtime";"os";"strconv")
func TestTry(t *testing.T){
	runtime.LockOSThread()
	ctx,c:=context.WithTimeout(context.Background(), 60*time.Second); defer c()
	start:=time.Now()
	o:=Options{Reach: func(s *Site){ s.Programs() }}
	p,err:=Self(ctx,o)
	if pid,_:=strconv.Atoi(os.Getenv("PIDX")); pid!=0 { p,err=PID(ctx,pid,o) }
	_=kernel.Getpid
	if err!=nil {t.Fatal(err)}
	fmt.Println(time.Since(start), p.Programs.Raw, p.Programs.Err, p.Mounts.Raw)
	for _,x:=range p.Programs.Value.Programs { fmt.Printf("%s %o %v %v %+v\n", x.Path, x.Mode, x.UID.Value, x.GID.Value, x.Capabilities.Value) }
	for _,x:=range p.Programs.Value.Idle { fmt.Println("idle",x) }
	for _,x:=range p.Programs.Value.Unseen { fmt.Println("unseen",x) }
	fmt.Println(p.Programs.Value.Counts)
}
