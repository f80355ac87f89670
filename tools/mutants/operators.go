package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
)

// The kinds of mutation.
const (
	opNegate = "negate" // a condition, or an operand of && or ||, is negated
	opBound  = "bound"  // a bound of a comparison or of a slice is moved by one
	opCall   = "call"   // a call is left out
	opFlag   = "flag"   // an operand of | is dropped, or true and false are swapped
	opReturn = "return" // a bool is returned negated, an error as nil, or nil as an error
)

// mutateNode adds the mutants of a node. path leads to the node from its declaration.
func (f *finder) mutateNode(n ast.Node, path []ast.Node) {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.negateCondition(opNegate, n.Cond)
		f.leaveOutCheck(n)
	case *ast.ForStmt:
		f.negateCondition(opNegate, n.Cond)
	case *ast.SwitchStmt:
		f.negateCases(n)
	case *ast.BinaryExpr:
		f.mutateBinary(n)
	case *ast.SliceExpr:
		f.moveBound(n, n.Low, 1)
		f.moveBound(n, n.High, -1)
		f.moveBound(n, n.Max, -1)
	case *ast.ExprStmt:
		if _, ok := n.X.(*ast.CallExpr); ok {
			f.leaveOut(opCall, n)
		}
	case *ast.DeferStmt, *ast.GoStmt:
		f.leaveOut(opCall, n)
	case *ast.AssignStmt:
		f.leaveOutAssignment(n, path)
		f.swapTruths(n.Rhs)
	case *ast.CallExpr:
		f.swapTruths(n.Args)
	case *ast.KeyValueExpr:
		f.swapTruths([]ast.Expr{n.Value})
		f.dropFlags(n)
	case *ast.ReturnStmt:
		f.mutateReturn(n, path)
	}
}

// negateCondition adds the negation of a condition. For && and || it adds nothing, because
// mutateBinary negates their operands.
func (f *finder) negateCondition(operator string, cond ast.Expr) {
	switch x := ast.Unparen(cond).(type) {
	case nil:
	case *ast.BinaryExpr:
		if x.Op == token.LAND || x.Op == token.LOR {
			return
		}
		if op, ok := opposites[x.Op]; ok {
			f.addMutant(operator, cond, "("+f.sourceOf(x.X)+" "+op.String()+" "+f.sourceOf(x.Y)+")")
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			f.addMutant(operator, cond, f.sourceOf(x.X))
			return
		}
		f.addMutant(operator, cond, "!("+f.sourceOf(cond)+")")
	default:
		f.addMutant(operator, cond, "!("+f.sourceOf(cond)+")")
	}
}

var opposites = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.GEQ, token.GEQ: token.LSS,
	token.GTR: token.LEQ, token.LEQ: token.GTR,
}

func (f *finder) negateCases(n *ast.SwitchStmt) {
	if n.Tag != nil {
		return
	}
	for _, clause := range n.Body.List {
		for _, cond := range clause.(*ast.CaseClause).List {
			f.negateCondition(opNegate, cond)
		}
	}
}

func (f *finder) mutateBinary(n *ast.BinaryExpr) {
	switch n.Op { //nolint:exhaustive // the other operators are not mutated
	case token.LAND, token.LOR:
		f.negateCondition(opNegate, n.X)
		f.negateCondition(opNegate, n.Y)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		f.addMutant(opBound, n, f.sourceOf(n.X)+" "+neighbours[n.Op].String()+" "+f.sourceOf(n.Y))
		f.moveComparison(n)
	case token.EQL, token.NEQ:
		f.moveLiteral(n, n.X, 1)
		f.moveLiteral(n, n.Y, 1)
	case token.OR:
		if x, ok := ast.Unparen(n.X).(*ast.BinaryExpr); !ok || x.Op != token.OR {
			f.addMutant(opFlag, n, f.sourceOf(n.Y))
		}
		f.addMutant(opFlag, n, f.sourceOf(n.X))
	}
}

var neighbours = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
}

// moveComparison changes the number in a comparison, in the direction not covered by the
// neighbouring operator: x < 5 becomes x < 4. (x < 6 would equal x <= 5.)
func (f *finder) moveComparison(n *ast.BinaryExpr) {
	by := 1
	if n.Op == token.LSS || n.Op == token.GEQ {
		by = -1
	}
	f.moveLiteral(n, n.Y, by)
	f.moveLiteral(n, n.X, -by)
}

// moveLiteral adds by to x, an operand of n, if x is a number.
func (f *finder) moveLiteral(n, x ast.Expr, by int) {
	if value, ok := isLiteral(x); ok && value+int64(by) >= 0 {
		f.addInside(n, x, strconv.FormatInt(value+int64(by), 10))
	}
}

// moveBound moves x, a bound of the slice n, inwards. A number is also moved outwards.
func (f *finder) moveBound(n, x ast.Expr, by int) {
	if x == nil {
		return
	}
	if _, ok := isLiteral(x); ok {
		f.moveLiteral(n, x, by)
		f.moveLiteral(n, x, -by)
		return
	}
	f.addInside(n, x, fmt.Sprintf("(%s)%+d", f.sourceOf(x), by))
}

// addInside replaces x and names the mutant after n, which contains x.
func (f *finder) addInside(n, x ast.Expr, text string) {
	m, whole := f.addMutant(opBound, x, text), f.sourceOf(n)
	m.From = oneLine(whole)
	m.To = oneLine(whole[:x.Pos()-n.Pos()] + text + whole[x.End()-n.Pos():])
}

func isLiteral(x ast.Expr) (int64, bool) {
	lit, ok := ast.Unparen(x).(*ast.BasicLit)
	if !ok || lit.Kind != token.INT {
		return 0, false
	}
	value, err := strconv.ParseInt(lit.Value, 0, 64)
	return value, err == nil
}

// leaveOut adds a mutant that never executes a statement. The names in the statement stay used, so
// the mutant compiles.
func (f *finder) leaveOut(operator string, n ast.Node) {
	f.addMutant(operator, n, "if false { "+f.sourceOf(n)+" }").To = "left out"
}

// leaveOutAssignment leaves out x = f() and x |= flag.
func (f *finder) leaveOutAssignment(n *ast.AssignStmt, path []ast.Node) {
	if _, ok := path[len(path)-1].(*ast.BlockStmt); !ok {
		if _, ok := path[len(path)-1].(*ast.CaseClause); !ok {
			return // the assignment of an if, a for or a switch
		}
	}
	switch n.Tok { //nolint:exhaustive // the other assignments are not mutated
	case token.ASSIGN:
		if _, ok := n.Rhs[0].(*ast.CallExpr); ok && len(n.Rhs) == 1 {
			f.leaveOut(opCall, n)
		}
	case token.OR_ASSIGN, token.AND_NOT_ASSIGN:
		f.leaveOut(opFlag, n)
	}
}

// leaveOutCheck leaves out if err := f(); err != nil { return err }. Such an f is called for its
// error alone.
func (f *finder) leaveOutCheck(n *ast.IfStmt) {
	init, ok := n.Init.(*ast.AssignStmt)
	if !ok || len(init.Lhs) != 1 || len(init.Rhs) != 1 || n.Else != nil {
		return
	}
	if _, ok := init.Rhs[0].(*ast.CallExpr); !ok {
		return
	}
	if cond, ok := n.Cond.(*ast.BinaryExpr); ok && cond.Op == token.NEQ && isName(cond.Y, "nil") {
		m := f.addMutant(opCall, n, "if false { "+f.sourceOf(n)+" }")
		m.From, m.To = oneLine(f.sourceOf(init)+"; "+f.sourceOf(cond)), "left out"
	}
}

func (f *finder) swapTruths(values []ast.Expr) {
	for _, x := range values {
		switch {
		case isName(x, "true"):
			f.addMutant(opFlag, x, "false")
		case isName(x, "false"):
			f.addMutant(opFlag, x, "true")
		}
	}
}

// dropFlags replaces the flags of a record by 0, unless they are several joined by |.
func (f *finder) dropFlags(n *ast.KeyValueExpr) {
	if !isName(n.Key, "Flags") {
		return
	}
	if x, ok := n.Value.(*ast.BinaryExpr); ok && x.Op == token.OR {
		return
	}
	f.addMutant(opFlag, n, "Flags: 0")
}

func isName(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

// mutantError declares the error that a mutant returns in place of nil.
const mutantError = "\n\ntype mutantError struct{}\n\nfunc (mutantError) Error() string { return \"a mutant's error\" }\n"

// mutateReturn changes the results of a return statement that are a bool, or the error at the end.
func (f *finder) mutateReturn(n *ast.ReturnStmt, path []ast.Node) {
	types := findResultTypes(path)
	if len(types) != len(n.Results) {
		return
	}
	for i, x := range n.Results {
		switch {
		case isName(types[i], "bool") && isName(x, "true"):
			f.addMutant(opReturn, x, "false")
		case isName(types[i], "bool") && isName(x, "false"):
			f.addMutant(opReturn, x, "true")
		case isName(types[i], "bool"):
			f.negateCondition(opReturn, x)
		case isName(types[i], "error") && i == len(types)-1 && isName(x, "nil"):
			f.addMutant(opReturn, n, f.returnWith(n, "mutantError{}")).declarations = mutantError
		case isName(types[i], "error") && i == len(types)-1:
			m := f.addMutant(opReturn, n, f.returnWith(n, "nil"))
			m.text = "if false { " + f.sourceOf(n) + " }; " + m.text // the names in the statement stay used
		}
	}
}

// returnWith returns the text of a return statement with another last result.
func (f *finder) returnWith(n *ast.ReturnStmt, last string) string {
	text, result := f.sourceOf(n), n.Results[len(n.Results)-1]
	return text[:result.Pos()-n.Pos()] + last
}

// findResultTypes returns the result types of the innermost function in path.
func findResultTypes(path []ast.Node) []ast.Expr {
	for i := len(path) - 1; i >= 0; i-- {
		var of *ast.FuncType
		switch fn := path[i].(type) {
		case *ast.FuncDecl:
			of = fn.Type
		case *ast.FuncLit:
			of = fn.Type
		default:
			continue
		}
		var types []ast.Expr
		if of.Results != nil {
			for _, field := range of.Results.List {
				for range max(1, len(field.Names)) {
					types = append(types, field.Type)
				}
			}
		}
		return types
	}
	return nil
}
